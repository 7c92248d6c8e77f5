import { sqlMigration } from "#kit/db/migrate.ts";

export const accounts = sqlMigration(
  "Migration20261121000000_accounts",
  [
    `CREATE TABLE account (
      user_id uuid PRIMARY KEY,
      email text NOT NULL,
      email_key text NOT NULL,
      owns_email boolean NOT NULL,
      password_hash text NOT NULL,
      display_name text,
      profile_created boolean NOT NULL,
      event_sequence bigint NOT NULL,
      attempt_notice_time timestamptz(3),
      create_time timestamptz(3) NOT NULL,
      last_login_time timestamptz(3)
    )`,
    "CREATE UNIQUE INDEX account_owned_email ON account (email_key) WHERE owns_email",
    "CREATE INDEX account_unowned_email ON account (email_key, password_hash) WHERE NOT owns_email",
    `CREATE TABLE session (
      session_id uuid PRIMARY KEY,
      user_id uuid NOT NULL CONSTRAINT session_user_id_foreign REFERENCES account ON DELETE CASCADE,
      create_time timestamptz(3) NOT NULL,
      last_used_time timestamptz(3) NOT NULL,
      expire_time timestamptz(3) NOT NULL,
      revoked_time timestamptz(3)
    )`,
    "CREATE INDEX session_user_id_index ON session (user_id)",
    "CREATE INDEX session_expire_time_index ON session (expire_time)",
    "CREATE INDEX session_revoked_time_index ON session (revoked_time) WHERE revoked_time IS NOT NULL",
    `CREATE TABLE refresh_token (
      token_hash text PRIMARY KEY,
      session_id uuid NOT NULL CONSTRAINT refresh_token_session_id_foreign REFERENCES session ON DELETE CASCADE,
      create_time timestamptz(3) NOT NULL,
      expire_time timestamptz(3) NOT NULL,
      used_time timestamptz(3),
      successor_sealed bytea
    )`,
    "CREATE INDEX refresh_token_session_id_index ON refresh_token (session_id)",
    "CREATE INDEX refresh_token_expire_time_index ON refresh_token (expire_time)",
    `CREATE TABLE signing_key (
      kid text PRIMARY KEY,
      public_x text NOT NULL,
      private_sealed bytea NOT NULL,
      sign_from timestamptz(3) NOT NULL,
      sign_until timestamptz(3) NOT NULL,
      create_time timestamptz(3) NOT NULL
    )`,
    `CREATE TABLE login_failure (
      key text PRIMARY KEY,
      failures integer NOT NULL,
      forgiven integer NOT NULL,
      last_time timestamptz(3) NOT NULL
    )`,
    "CREATE INDEX login_failure_last_time_index ON login_failure (last_time)",
    `CREATE TABLE login_forgiven (
      key text PRIMARY KEY,
      failure_key text NOT NULL CONSTRAINT login_forgiven_failure_key_foreign REFERENCES login_failure ON DELETE CASCADE,
      failures integer NOT NULL
    )`,
    "CREATE INDEX login_forgiven_failure_key_index ON login_forgiven (failure_key)",
  ],
  ["DROP TABLE login_forgiven, login_failure, signing_key, refresh_token, session, account"],
);
