import { errorType } from "#observability/error-type.ts";
import { logger } from "#observability/logger.ts";
import { counter, gauge, histogram } from "#observability/metrics.ts";
import { extractContext, withContext } from "#observability/tracing.ts";
import type { OutboxRow } from "./relay-cursor.ts";

const log = logger("relay");

const lag = gauge("taskmesh.outbox.lag");
const leader = gauge("taskmesh.outbox.leader");
const sent = counter("taskmesh.outbox.sent");
const batches = histogram("taskmesh.outbox.batch");
const wait = histogram("taskmesh.outbox.wait");
const failures = counter("taskmesh.outbox.failures");

const alarmSeconds = 2;

/** What one relay tells of itself. */
export class RelayReport {
  readonly #source: string;
  #late = false;

  constructor(source: string) {
    this.#source = source;
    // There from the start, so that the first one shows as a change, and nobody's being active as 0.
    failures.add(0);
    leader.record(0);
  }

  active(isActive: boolean): void {
    leader.record(isActive ? 1 : 0);
    if (!isActive) lag.record(0);
    log.info({ source: this.#source }, isActive ? "the relay is active" : "the relay is no longer active");
  }

  sent(rows: readonly OutboxRow[], now: Date): void {
    batches.record(rows.length);
    for (const [index, { topic, insert_time, traceparent }] of rows.entries()) {
      sent.add(1, { "messaging.destination.name": topic });
      const seconds = Math.max(0, now.getTime() - insert_time.getTime()) / 1000;
      // The one that has waited longest is the example of its batch.
      if (index > 0 || traceparent === null) wait.record(seconds);
      else withContext(extractContext({ traceparent }), () => wait.record(seconds));
    }
  }

  failed(error: unknown, events: number): void {
    failures.add(1, { "error.type": errorType(error) });
    log.warn({ error, events }, "could not send a batch; it is sent again");
  }

  /** The age of the oldest unsent event: a long transaction that holds the relay back must show too. */
  lag(seconds: number): void {
    lag.record(seconds);
    const source = this.#source;
    if (seconds > alarmSeconds && !this.#late) log.warn({ source, seconds }, "the outbox is late");
    if (seconds <= alarmSeconds && this.#late) log.info({ source }, "the outbox has caught up");
    this.#late = seconds > alarmSeconds;
  }
}
