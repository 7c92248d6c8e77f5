import type { Database } from "#kit/db/database.ts";
import { gauge } from "#observability/metrics.ts";
import { countDeadLetters } from "./dead-letter-list.ts";

const waiting = gauge("taskmesh.event.dead_letters_waiting");
const everyMs = 10_000;

/** Tells again and again how many dead letters of a group wait, until what it answers with is called. */
export function watchDeadLetters(database: Database, group: string): () => void {
  const tell = async () => {
    const count = await countDeadLetters(database, group);
    waiting.record(count, { "messaging.consumer.group.name": group });
  };
  // While the database is away the last count stands; that it is away is told elsewhere.
  const timer = setInterval(() => tell().catch(() => {}), everyMs);
  tell().catch(() => {});
  return () => clearInterval(timer);
}
