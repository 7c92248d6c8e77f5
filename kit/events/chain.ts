import type { Database, EntityManager } from "#kit/db/database.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { EventMeta, Headers } from "./event.ts";
import type { ParkedKeys } from "./parked-keys.ts";

/** One record on its way through the chain. */
export interface Delivery {
  readonly meta: EventMeta;
  readonly value: Uint8Array;
  /** All headers as text, those of the trace included. */
  readonly headers: Headers;
  /** The retry stage that it was read from; undefined for the topic itself. */
  readonly stage: number | undefined;
  /** Where it was read just now; `meta.offset` tells where it was first. */
  readonly recordOffset: string;
  /** When the broker had it, and when it was fetched. */
  readonly recordTime: Date;
  readonly fetchTime: Date;
  readonly signal: AbortSignal;
  /** The transaction of its effect, once one is open. */
  readonly em?: EntityManager;
  /** What the group's preparation answered, once it has run. */
  readonly prepared?: unknown;
}

/** What became of a delivery. Anything but a thrown error means that its offset may be committed. */
export interface Outcome {
  result: "done" | "passed" | "duplicate" | "retried" | "parked" | "dead";
  error?: unknown;
}

export type Step = (delivery: Delivery) => Promise<Outcome>;

/** What middlewares work with. */
export interface ChainContext {
  group: string;
  database: Database;
  parkedKeys: ParkedKeys;
  deadLetters: DeadLetters;
  /** How long one try may take, in milliseconds. */
  timeoutMs: number;
  /** Whether processing continues the producer's trace or starts its own, which links to it. */
  traceMode: "child" | "link";
  preparation?: Preparation<unknown> | undefined;
}

/** A link of the chain; the first of the list is the outermost. */
export interface ConsumerMiddleware {
  name: string;
  wrap(next: Step, context: ChainContext): Step;
}

export interface IncomingEvent {
  meta: EventMeta;
  value: Uint8Array;
  signal: AbortSignal;
}

export type EventHandler<P = unknown> = (
  event: IncomingEvent & {
    /** The transaction that also holds the inbox row. */
    em: EntityManager;
    /** What the preparation answered. */
    prepared: P;
  },
) => Promise<void>;

/** What is done for an event before the transaction of its effect opens. */
export interface Preparation<P> {
  /** Whether the group has anything to do with the event; all of its topics' events unless given. Not for events that share a transaction. */
  concerns?(event: IncomingEvent): boolean;
  /** May wait for others, a service or a mail server: no lock is held. Runs at every try, for a duplicate too. */
  prepare(event: IncomingEvent): Promise<P>;
  /**
   * Before the effects of several events that share a transaction: takes the locks of all of them, in an order that is
   * the same for everybody, so that two such transactions never wait for each other. Needed where effects take locks.
   */
  lockAll?(em: EntityManager, prepared: readonly P[]): Promise<void>;
}

/** Why an event will never succeed, however often it is tried. */
export type PermanentReason = "undecodable" | "unknown_type" | "refused" | "not_an_event";

/** Thrown by a handler for an event that no retry can save: it becomes a dead letter at once. */
export class PermanentEventError extends Error {
  override readonly name = "PermanentEventError";
  readonly reason: PermanentReason;

  constructor(reason: PermanentReason, cause?: unknown) {
    super(reason, { cause });
    this.reason = reason;
  }
}

/** Wraps a handler in the chain. Without a middleware that opens one, the handler gets a transaction of its own. */
export function compose(chain: readonly ConsumerMiddleware[], handle: EventHandler, context: ChainContext): Step {
  const core: Step = async (delivery) => {
    const { meta, value, signal, em, prepared } = delivery;
    if (em !== undefined) await handle({ meta, value, signal, em, prepared });
    else await context.database.transactional((own) => handle({ meta, value, signal, em: own, prepared }), { signal });
    return { result: "done" };
  };
  return chain.reduceRight((next, middleware) => middleware.wrap(next, context), core);
}
