import type { Database } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { logger } from "#observability/logger.ts";

const log = logger("consumer");

// Longer than the seven days that a topic keeps its records, so that whatever comes again is recognised.
const keep = "8 days";
const chunk = 5000;

const purge = statement(
  "inbox-purge",
  `DELETE FROM inbox_event WHERE ctid IN (
     SELECT ctid FROM inbox_event WHERE receive_time < now() - interval '${keep}' LIMIT ${chunk}
   ) RETURNING 1 AS gone`,
);

/** Forgets the events that are too old to come again. A failure is left for the next time. */
export async function purgeInbox(database: Database): Promise<void> {
  try {
    for (let gone = chunk; gone === chunk; ) gone = (await database.query(purge)).length;
  } catch (error) {
    log.warn({ error }, "could not purge the inbox");
  }
}
