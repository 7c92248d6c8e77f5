import type { EntitySchema, MigrationEntry } from "#kit/db/database.ts";
import { consumerMigration } from "#kit/events/consumer-schema.ts";
import { deadLetterMigration } from "#kit/events/dead-letter-schema.ts";
import { outboxMigration } from "#kit/events/outbox.ts";
import { idempotencyMigration } from "#kit/idempotency/schema.ts";
import { AlertEntity, AlertRecipientEntity } from "./alert.entity.ts";
import { DeliveryEntity } from "./delivery.entity.ts";
import { InboxStateEntity } from "./inbox-state.entity.ts";
import { inbox } from "./migrations/Migration20261121000010_inbox.ts";
import { readRevision } from "./migrations/Migration20261121140000_read_revision.ts";
import { channels } from "./migrations/Migration20261122002600_channels.ts";
import { push } from "./migrations/Migration20261122003000_push.ts";
import { schedule } from "./migrations/Migration20261122005000_schedule.ts";
import { alerts } from "./migrations/Migration20261122005500_alerts.ts";
import { NotificationEntity } from "./notification.entity.ts";
import { PushSubscriptionEntity } from "./push-subscription.entity.ts";
import { ScheduleEntity } from "./schedule.entity.ts";
import { WebhookEntity } from "./webhook.entity.ts";

export const entities: EntitySchema[] = [
  NotificationEntity,
  DeliveryEntity,
  InboxStateEntity,
  WebhookEntity,
  PushSubscriptionEntity,
  ScheduleEntity,
  AlertEntity,
  AlertRecipientEntity,
];

/** In the order in which they run. */
export const migrations: MigrationEntry[] = [
  outboxMigration,
  consumerMigration,
  inbox,
  idempotencyMigration,
  readRevision,
  deadLetterMigration,
  channels,
  push,
  schedule,
  alerts,
];
