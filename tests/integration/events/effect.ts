import { execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import type { EventHandler } from "#kit/events/consumer.ts";

const put = statement("effect-put", "INSERT INTO effect (event_id, key, member) VALUES ($1, $2, $3)");

/** The plainest effect: a row for each time that a handler ran. */
export const recordEffect =
  (member = "test"): EventHandler =>
  async ({ meta, em }) => {
    await execute(em, put, [meta.eventId, meta.key, member]);
  };
