import type { Lifecycle } from "#kit/lifecycle.ts";
import { announceEndingKeys } from "./api-key-notices.ts";
import type { AuthContext } from "./context.ts";
import { sweepApiKeys } from "./db/api-key.repository.ts";
import { sweepFailures } from "./db/login-failure.repository.ts";
import { sweepSessions } from "./db/session.repository.ts";
import { reportBackgroundFailure } from "./metrics.ts";

const keysEveryMs = 30_000;
const sweepEveryMs = 600_000;

/** Keeps the signing keys ahead of time, and the tables from growing without end. */
export function startHousekeeping({ keys, database }: AuthContext, lifecycle: Lifecycle): void {
  every(keysEveryMs, "rotate the signing keys", lifecycle, () => keys.refresh());
  every(sweepEveryMs, "tell whose API keys end soon", lifecycle, () => announceEndingKeys(database));
  every(sweepEveryMs, "remove what has expired", lifecycle, () =>
    database.transactional(async (em) => {
      await sweepSessions(em);
      await sweepFailures(em);
      await sweepApiKeys(em);
    }),
  );
}

/** What fails is tried again at the next turn. */
function every(ms: number, work: string, lifecycle: Lifecycle, run: () => Promise<void>): void {
  let running: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    running = running.then(run).catch((error: unknown) => reportBackgroundFailure(work, error));
  }, ms);
  lifecycle.use(work, timer, async () => {
    clearInterval(timer);
    await running;
  });
}
