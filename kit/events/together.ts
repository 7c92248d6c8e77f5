import { untilAborted } from "#kit/db/cancellation.ts";
import { execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { isId } from "#kit/id.ts";
import { extractContext, withContext } from "#observability/tracing.ts";
import { type ChainContext, compose, type Delivery, type EventHandler, type Step } from "./chain.ts";
import { measure } from "./middleware/measure.ts";
import { trace } from "./middleware/trace.ts";

const receiveAll = statement(
  "inbox-receive-all",
  `INSERT INTO inbox_event (event_id, group_name) SELECT unnest($1::uuid[]), $2
   ON CONFLICT DO NOTHING RETURNING event_id AS "eventId"`,
);

/**
 * The fast way for events of which none fails: one transaction for several of a partition. When anything goes wrong
 * nothing of it stays, and each event takes the whole chain on its own.
 */
export class Together {
  readonly #size: number;
  readonly #context: ChainContext;
  readonly #step: Step;

  constructor(handle: EventHandler, context: ChainContext, size: number) {
    this.#size = size;
    this.#context = context;
    this.#step = compose([trace, measure], handle, context);
  }

  /** Takes from the front of the queue what may share a transaction: one event at least, and events of waiting keys alone. */
  async take(queue: Delivery[]): Promise<Delivery[]> {
    let count = 0;
    try {
      while (count < Math.min(this.#size, queue.length) && (await this.#mayShare(queue[count] as Delivery))) count += 1;
    } catch {
      // Not known while the database is away: the event's own way through the chain deals with that.
      count = 1;
    }
    return queue.splice(0, Math.max(count, 1));
  }

  /** Answers false when the events have to go one by one. */
  async run(deliveries: readonly Delivery[]): Promise<boolean> {
    const { database, group, timeoutMs, preparation } = this.#context;
    const [first] = deliveries;
    if (first === undefined || deliveries.length === 1) return false;
    const signal = AbortSignal.any([first.signal, AbortSignal.timeout(timeoutMs)]);
    const ids = deliveries.map(({ meta }) => meta.eventId);
    try {
      const prepared = await untilAborted(
        signal,
        Promise.all(deliveries.map((delivery) => this.#prepare(delivery, signal))),
      );
      await database.transactional(
        async (em) => {
          const received = new Set<string>();
          for (const row of await execute<{ eventId: string }>(em, receiveAll, [ids, group])) received.add(row.eventId);
          const news = prepared.filter(({ meta }) => received.delete(meta.eventId));
          await preparation?.lockAll?.(
            em,
            news.map((delivery) => delivery.prepared),
          );
          for (const delivery of news) await this.#step({ ...delivery, em, signal });
        },
        { signal },
      );
      return true;
    } catch {
      return false;
    }
  }

  /** Before the transaction, and so before the event's own span: what it calls belongs to the sender's. */
  async #prepare(delivery: Delivery, signal: AbortSignal): Promise<Delivery> {
    const { preparation } = this.#context;
    if (preparation === undefined) return delivery;
    const sender = extractContext(delivery.headers);
    const prepared = await withContext(sender, () => preparation.prepare({ ...delivery, signal }));
    return { ...delivery, prepared };
  }

  async #mayShare({ meta, stage }: Delivery): Promise<boolean> {
    return stage === undefined && isId(meta.eventId) && !(await this.#context.parkedKeys.isParked(meta));
  }
}
