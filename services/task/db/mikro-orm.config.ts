import type { EntitySchema } from "#kit/db/database.ts";
import type { MigrationEntry } from "#kit/db/migrate.ts";
import { outboxMigration } from "#kit/events/outbox.ts";
import { idempotencyMigration } from "#kit/idempotency/schema.ts";
import { ActivityEntity } from "./activity.entity.ts";
import { CollaboratorEntity } from "./collaborator.entity.ts";
import { CommentEntity } from "./comment.entity.ts";
import { LabelEntity } from "./label.entity.ts";
import { tasks } from "./migrations/Migration20261121010000_tasks.ts";
import { reminders } from "./migrations/Migration20261122005000_reminders.ts";
import { taskActivity } from "./migrations/Migration20261122080000_task_activity.ts";
import { ReminderEntity } from "./reminder.entity.ts";
import { TaskEntity } from "./task.entity.ts";

export const entities: EntitySchema[] = [
  TaskEntity,
  CollaboratorEntity,
  CommentEntity,
  LabelEntity,
  ActivityEntity,
  ReminderEntity,
];

/** In the order in which they run. */
export const migrations: MigrationEntry[] = [outboxMigration, tasks, idempotencyMigration, reminders, taskActivity];
