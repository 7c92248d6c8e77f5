import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { unavailable } from "#kit/errors.ts";
import { counter } from "#observability/metrics.ts";
import { type DeadLetter, type DeadLetterFilter, deadLetterColumns, type RecordPlace } from "./dead-letter-list.ts";
import { type Headers, redriveHeader, retryHeaders } from "./event.ts";
import type { EventProducer } from "./producer.ts";
import { retryStages } from "./topics.ts";

const redriven = counter("taskmesh.event.redriven");

// In the order of the events: those of one key come back in their order.
const waiting = `SELECT ${deadLetterColumns}, headers, payload FROM dead_letter
   WHERE group_name = $1 AND redrive_time IS NULL
     AND ($2::uuid[] IS NULL OR dead_letter_id = ANY ($2::uuid[]))
     AND ($3::text IS NULL OR type = $3) AND ($4::text IS NULL OR reason = $4)
     AND ($5::text IS NULL OR (topic, partition_number, record_offset) > ($5, $6::int, $7::bigint))
   ORDER BY topic, partition_number, record_offset LIMIT $8`;
const look = statement("dead-letter-look", waiting);
const take = statement("dead-letter-take", `${waiting} FOR UPDATE SKIP LOCKED`);
const mark = statement(
  "dead-letter-redriven",
  `UPDATE dead_letter SET redrive_time = now(), redrive_count = redrive_count + 1
   WHERE dead_letter_id = ANY ($1::uuid[]) RETURNING redrive_time AS "redriveTime"`,
);

const drop = statement("dead-letter-discard", "DELETE FROM dead_letter WHERE dead_letter_id = ANY ($1::uuid[])");

type Kept = DeadLetter & { headers: Headers; payload: Buffer };

/** Which of a group's dead letters that wait, in the order of the events. */
export interface ChosenDeadLetters extends Omit<DeadLetterFilter, "group"> {
  group: string;
  /** Only those behind this place: where the last one of the call before came from. */
  after?: RecordPlace | undefined;
  /** 100 unless given. */
  limit?: number;
  /** Only tell which they are. */
  dryRun?: boolean;
  signal?: AbortSignal;
}

/**
 * Sends dead letters back to their group alone, by its first retry topic and without a wait, in the order of the events.
 * They keep event id, key and trace; the tries count from the start. Answers with those that were sent: never with one
 * that was sent back before, unless it has failed again. When it fails, some may have been sent and are still waiting:
 * to send these again is safe, since the group's inbox knows what it has done.
 */
export async function redriveDeadLetters(
  { database, producer }: { database: Database; producer: EventProducer },
  chosen: ChosenDeadLetters,
): Promise<DeadLetter[]> {
  // One transaction around the sending: a letter that fails again at once is buried again after it, not before.
  const sent = await forChosen(database, chosen, async (em, letters) => {
    await producer.send(letters.map(toRecord)).catch((error: unknown) => {
      throw unavailable("Kafka does not take the events", error);
    });
    const [marked] = await execute<{ redriveTime: Date }>(em, mark, [idsOf(letters)]);
    return letters.map((letter) => ({ ...letter, ...marked, redriveCount: letter.redriveCount + 1 }));
  });
  if (sent.length > 0 && !chosen.dryRun) redriven.add(sent.length, { "messaging.consumer.group.name": chosen.group });
  return sent;
}

/** Forgets dead letters whose events nobody needs any more. Their records stay in the topic for as long as it keeps any. */
export function discardDeadLetters(database: Database, chosen: ChosenDeadLetters): Promise<DeadLetter[]> {
  return forChosen(database, chosen, async (em, letters) => {
    await execute(em, drop, [idsOf(letters)]);
    return letters;
  });
}

/** Does something with the chosen letters that nobody else has taken, if there are any; a dry run only looks. */
async function forChosen(
  database: Database,
  { signal, dryRun = false, ...chosen }: ChosenDeadLetters,
  deed: (em: EntityManager, letters: Kept[]) => Promise<Kept[]>,
): Promise<DeadLetter[]> {
  const values = valuesOf(chosen);
  if (dryRun) return (await database.query<Kept>(look, values, { signal })).map(withoutContent);
  const done = await database.transactional(
    async (em) => {
      const letters = await execute<Kept>(em, take, values);
      return letters.length === 0 ? [] : deed(em, letters);
    },
    { signal },
  );
  return done.map(withoutContent);
}

function idsOf(letters: readonly Kept[]): string[] {
  return letters.map(({ deadLetterId }) => deadLetterId);
}

function valuesOf({ group, deadLetterIds, type, reason, after, limit = 100 }: ChosenDeadLetters): unknown[] {
  const { topic = null, partition = null } = after ?? {};
  const offset = after === undefined ? null : String(after.offset);
  return [group, deadLetterIds ?? null, type ?? null, reason ?? null, topic, partition, offset, limit];
}

function toRecord({ group, key, payload, headers, redriveCount, ...letter }: Kept) {
  const [first] = retryStages(group);
  if (first === undefined) throw new Error(`the group ${group} has no retry topic`);
  const { topic, partition, offset } = letter;
  const state = retryHeaders({ topic, partition, offset: String(offset), attempt: 0, dueTime: 0 });
  const mark = { [redriveHeader]: String(redriveCount + 1) };
  return { topic: first.topic, key, value: payload, headers: { ...headers, ...state, ...mark } };
}

function withoutContent({ headers: _headers, payload: _payload, ...letter }: Kept): DeadLetter {
  return letter;
}
