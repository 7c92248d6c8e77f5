import type { EntitySchema, MigrationEntry } from "#kit/db/database.ts";
import { consumerMigration } from "#kit/events/consumer-schema.ts";
import { deadLetterMigration } from "#kit/events/dead-letter-schema.ts";
import { outboxMigration } from "#kit/events/outbox.ts";
import { idempotencyMigration } from "#kit/idempotency/schema.ts";
import { DeliveryEntity } from "./delivery.entity.ts";
import { InboxStateEntity } from "./inbox-state.entity.ts";
import { inbox } from "./migrations/Migration20261121000010_inbox.ts";
import { readRevision } from "./migrations/Migration20261121140000_read_revision.ts";
import { NotificationEntity } from "./notification.entity.ts";

export const entities: EntitySchema[] = [NotificationEntity, DeliveryEntity, InboxStateEntity];

/** In the order in which they run. */
export const migrations: MigrationEntry[] = [
  outboxMigration,
  consumerMigration,
  inbox,
  idempotencyMigration,
  readRevision,
  deadLetterMigration,
];
