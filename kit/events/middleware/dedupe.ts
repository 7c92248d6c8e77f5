import { execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import type { ConsumerMiddleware } from "../chain.ts";

const receive = statement(
  "inbox-receive",
  "INSERT INTO inbox_event (event_id, group_name) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1 AS received",
);

/**
 * However often an event comes, its effect happens once: the inbox row is written first and commits with the effect.
 * A second delivery waits for the first to commit, and then does nothing.
 */
export const dedupe: ConsumerMiddleware = {
  name: "dedupe",
  wrap:
    (next, { database, group }) =>
    (delivery) =>
      database.transactional(
        async (em) => {
          const [received] = await execute(em, receive, [delivery.meta.eventId, group]);
          return received === undefined ? { result: "duplicate" } : next({ ...delivery, em });
        },
        { signal: delivery.signal },
      ),
};
