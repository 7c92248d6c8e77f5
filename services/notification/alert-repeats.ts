import type { Database } from "#kit/db/database.ts";
import { appendOutboxAll } from "#kit/events/outbox.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { withSpan } from "#observability/tracing.ts";
import { noticeDue } from "./alert-events.ts";
import { type AlertPace, secondsToNextNotice, takeDueNotices } from "./db/alert.repository.ts";
import { reportRepeats, reportRepeatsFailed } from "./metrics.ts";

interface AlertRepeatsOptions {
  database: Database;
  pace: AlertPace;
  lifecycle: Lifecycle;
}

const batch = 100;
/** Never sooner than this after a look that found something or failed, in milliseconds. */
const leastMs = 1_000;

/**
 * Asks for the notices of alerts that nobody has acknowledged, when they are due. Every instance does; a notice is taken
 * by one of them, in the transaction that writes its event, so that each is asked for once whoever dies when.
 */
export function startAlertRepeats({ database, pace, lifecycle }: AlertRepeatsOptions): void {
  // No alert can have a notice due sooner than this after it is raised, so that looking this often misses none.
  const longestMs = pace.everySeconds * 1_000;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;
  const look = async () => {
    let waitMs = longestMs;
    try {
      let seconds = await secondsToNextNotice(database);
      if (seconds !== undefined && seconds <= 0) {
        await askForDue(database, pace);
        seconds = await secondsToNextNotice(database);
      }
      if (seconds !== undefined) waitMs = Math.max(seconds * 1_000, Math.min(leastMs, longestMs));
    } catch (error) {
      reportRepeatsFailed(error);
      waitMs = leastMs;
    }
    if (!stopped) plan(Math.min(waitMs, longestMs));
  };
  const plan = (ms: number) => {
    timer = setTimeout(() => {
      running = look();
    }, ms).unref();
  };
  running = look();
  lifecycle.use("alert repeats", undefined, async () => {
    stopped = true;
    clearTimeout(timer);
    await running;
  });
}

/** Asks for all notices that are due, those that are long overdue first. */
function askForDue(database: Database, pace: AlertPace): Promise<void> {
  return withSpan("taskmesh repeat alerts", {}, async () => {
    for (let taken = batch; taken === batch; ) {
      taken = await database.transactional(async (em) => {
        const due = await takeDueNotices(em, batch, pace);
        await appendOutboxAll(em, due.map(noticeDue));
        return due.length;
      });
      reportRepeats(taken);
    }
  });
}
