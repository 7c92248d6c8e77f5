import type { Database } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { logger } from "#observability/logger.ts";

const log = logger("idempotency");
const everyMs = 600_000;
const chunk = 1000;
/** A turn takes away at most this many chunks, so that a backlog is no burst. */
const chunksOfTurn = 100;

// Other instances do the same at the same time.
const purge = statement(
  "idempotency-purge",
  `DELETE FROM idempotency_key WHERE (user_id, key) IN (
     SELECT user_id, key FROM idempotency_key WHERE expire_time <= now()
     ORDER BY expire_time LIMIT ${chunk} FOR UPDATE SKIP LOCKED
   ) RETURNING 1 AS gone`,
);

/** Forgets the answers that have expired; they are not given out any more in any case. Answers how many. */
export async function purgeAnswers(database: Pick<Database, "query">): Promise<number> {
  let gone = 0;
  for (let turn = 0; turn < chunksOfTurn; turn += 1) {
    const { length } = await database.query(purge);
    gone += length;
    if (length < chunk) break;
  }
  return gone;
}

/** Forgets expired answers every ten minutes, until the process stops. A failure is left for the next time. */
export function startAnswerPurge(database: Database, lifecycle: Lifecycle): void {
  let running: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    running = running
      .then(() => purgeAnswers(database))
      .catch((error: unknown) => log.warn({ error }, "could not purge the stored answers"));
  }, everyMs);
  lifecycle.use("answer purge", timer, async () => {
    clearInterval(timer);
    await running;
  });
}
