import { sqlMigration } from "#kit/db/migrate.ts";
import { firstPartitions } from "#kit/db/partitions.ts";

export const taskActivity = sqlMigration(
  "Migration20261122080000_task_activity",
  [
    `create table task_activity (
      task_id uuid not null,
      occur_time timestamptz(3) not null,
      sequence bigint not null,
      activity_id uuid not null,
      actor_id uuid not null,
      fact bytea not null,
      primary key (task_id, occur_time, sequence)
    ) partition by range (occur_time)`,
    ...firstPartitions({ table: "task_activity", period: "month" }),
  ],
  ["drop table task_activity"],
);
