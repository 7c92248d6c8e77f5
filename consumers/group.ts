import type { Database, EntityManager } from "#kit/db/database.ts";
import type { IncomingEvent } from "#kit/events/consumer.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";

/** What a consumer group hears and does. `P` is what it prepares before the transaction of its effect. */
export interface Group<P> {
  readonly topics: readonly string[];
  /** Of its own; that of the process unless given. */
  readonly database?: Database | undefined;
  /** How long one try of an event may take. */
  readonly timeoutMs?: number;
  /** How many events of a partition may share a transaction; 1 unless given. Only where the whole effect is in the database. */
  readonly eventsPerTransaction?: number;
  /** Whether the group has anything to do with an event; all events of its topics unless given. */
  concerns?(event: IncomingEvent): boolean;
  /** May wait for others; runs at every try. */
  prepare(event: IncomingEvent): Promise<P>;
  /** Takes the locks of several events at once; see `Preparation`. */
  lockAll?(em: EntityManager, prepared: readonly P[]): Promise<void>;
  /** The effect, in the transaction that also remembers the event. */
  handle(event: IncomingEvent & { em: EntityManager; prepared: P }): Promise<void>;
  /** What it does beside its events; the lifecycle owns it. */
  start?(lifecycle: Lifecycle): void;
}
