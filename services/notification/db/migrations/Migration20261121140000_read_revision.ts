import { sqlMigration } from "#kit/db/migrate.ts";

// What was read before has no revision of its reading: no cursor is older than this column, so nobody asks for it. The
// column may stay empty, for programs of the version before go on writing while this one starts.
export const readRevision = sqlMigration(
  "Migration20261121140000_read_revision",
  [
    "alter table notification add column read_revision bigint",
    `create unique index notification_read_revision on notification (recipient_id, read_revision)
     where read_revision is not null`,
  ],
  ["drop index notification_read_revision", "alter table notification drop column read_revision"],
);
