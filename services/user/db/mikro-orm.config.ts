import type { EntitySchema } from "#kit/db/database.ts";
import type { MigrationEntry } from "#kit/db/migrate.ts";
import { outboxMigration } from "#kit/events/outbox.ts";
import { idempotencyMigration } from "#kit/idempotency/schema.ts";
import { profiles } from "./migrations/Migration20261121000000_profiles.ts";
import { ProfileEntity } from "./profile.entity.ts";

export const entities: EntitySchema[] = [ProfileEntity];

/** In the order in which they run. */
export const migrations: MigrationEntry[] = [outboxMigration, profiles, idempotencyMigration];
