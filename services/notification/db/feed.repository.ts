import type { Database } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import type { NotificationRow } from "./notification.entity.ts";

/** One change of an inbox: an entry came, or was read. Each revision of an inbox is one change. */
export interface Change {
  revision: bigint;
  kind: "created" | "updated";
  /** As it is now, which may be after later changes. */
  entry: Omit<NotificationRow, "recipientId" | "sourceEventId" | "position" | "readRevision">;
}

/** The next changes of an inbox, and how the inbox is after all of its changes. */
export interface FeedPage {
  changes: Change[];
  head: bigint;
  unreadCount: number;
}

// One statement, so that the changes and the counts are of one moment. The row of the inbox is locked until the commit
// of each change: who sees a revision sees all before it.
const changesAfter = statement(
  "inbox-changes-after",
  `SELECT s.revision AS head, s.unread_count AS "unreadCount", c.*
   FROM inbox_state s LEFT JOIN LATERAL (
     SELECT * FROM (
       (SELECT n.position AS revision, 'created' AS change, n.* FROM (${entries("position")}) n)
       UNION ALL
       (SELECT n.read_revision AS revision, 'updated' AS change, n.* FROM (${entries("read_revision")}) n)
     ) both_kinds ORDER BY both_kinds.revision LIMIT $3
   ) c ON true
   WHERE s.recipient_id = $1
   ORDER BY c.revision`,
  { operation: "SELECT", collection: "notification" },
);

function entries(order: "position" | "read_revision"): string {
  return `SELECT position, read_revision, notification_id AS "notificationId", kind, title, body, task_id AS "taskId",
      read_time AS "readTime", create_time AS "createTime", trace_id AS "traceId"
    FROM notification WHERE recipient_id = $1 AND ${order} > $2 ORDER BY ${order} LIMIT $3`;
}

type Row = Change["entry"] & {
  head: bigint;
  unreadCount: number;
  revision: bigint | null;
  change: Change["kind"];
};

export interface FeedPlace {
  recipientId: string;
  /** Only changes behind this revision. */
  after: bigint;
  limit: number;
}

/** Up to `limit` changes in their order. */
export async function readChanges(
  db: Database,
  { recipientId, after, limit }: FeedPlace,
  signal: AbortSignal,
): Promise<FeedPage> {
  const rows = await db.query<Row>(changesAfter, [recipientId, after, limit], { signal });
  const [first] = rows;
  return {
    head: first?.head ?? 0n,
    unreadCount: first?.unreadCount ?? 0,
    changes: rows.flatMap(({ revision, change, ...entry }) =>
      revision === null ? [] : [{ revision, kind: change, entry }],
    ),
  };
}
