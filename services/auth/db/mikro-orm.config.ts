import type { EntitySchema } from "#kit/db/database.ts";
import type { MigrationEntry } from "#kit/db/migrate.ts";
import { outboxMigration } from "#kit/events/outbox.ts";
import { idempotencyMigration } from "#kit/idempotency/schema.ts";
import { AccountEntity } from "./account.entity.ts";
import { ApiKeyEntity } from "./api-key.entity.ts";
import { LoginFailureEntity, LoginForgivenEntity } from "./login-failure.entity.ts";
import { accounts } from "./migrations/Migration20261121000000_accounts.ts";
import { apiKeys } from "./migrations/Migration20261121030000_api_keys.ts";
import { RefreshTokenEntity } from "./refresh-token.entity.ts";
import { SessionEntity } from "./session.entity.ts";
import { SigningKeyEntity } from "./signing-key.entity.ts";

export const entities: EntitySchema[] = [
  AccountEntity,
  SessionEntity,
  ApiKeyEntity,
  RefreshTokenEntity,
  SigningKeyEntity,
  LoginFailureEntity,
  LoginForgivenEntity,
];

/** In the order in which they run. */
export const migrations: MigrationEntry[] = [outboxMigration, accounts, apiKeys, idempotencyMigration];
