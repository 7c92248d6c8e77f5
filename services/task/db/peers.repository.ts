import { statement } from "#kit/db/statement.ts";
import type { Run } from "./queries.ts";

const peersStatement = statement(
  "collaborator-peers",
  `SELECT peer_id FROM unnest($2::uuid[]) AS peer_id
   WHERE EXISTS (
     SELECT FROM collaborator own JOIN collaborator other ON other.task_id = own.task_id AND other.user_id = peer_id
     JOIN task t ON t.task_id = own.task_id
     WHERE own.user_id = $1::uuid AND t.delete_time IS NULL)`,
  { operation: "SELECT", collection: "collaborator" },
);

/** Those of the people who take part in a task with the user. */
export async function peersOf(run: Run, userId: string, peerIds: readonly string[]): Promise<string[]> {
  const rows = await run<{ peer_id: string }>(peersStatement, [userId, peerIds]);
  return rows.map((row) => row.peer_id);
}
