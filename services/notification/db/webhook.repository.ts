import { seal, unseal } from "#kit/auth/sealing.ts";
import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { newId } from "#kit/id.ts";
import type { NotificationKind } from "./notification.entity.ts";
import type { WebhookState } from "./webhook.entity.ts";

/** How many webhooks a person may have. */
export const maxWebhooks = 10;
/** How long a secret that was rotated goes on signing. */
const oldSecretKept = "24 hours";

/** A webhook; its secrets are with `OpenWebhook`. */
export interface Webhook {
  webhookId: string;
  ownerId: string;
  displayName: string;
  url: string;
  kinds: NotificationKind[];
  state: WebhookState;
  failures: number;
  failingSince: Date | null;
  version: number;
  createTime: Date;
  updateTime: Date;
}

/** What sending to a webhook takes. */
export interface OpenWebhook extends Webhook {
  /** What signs now; the newest first. */
  secrets: Buffer[];
}

interface Row extends Omit<Webhook, "url"> {
  url: Buffer;
  secret: Buffer;
  oldSecret: Buffer | null;
}

const columns = `webhook_id AS "webhookId", owner_id AS "ownerId", display_name AS "displayName", url, secret,
  CASE WHEN old_secret_expire_time > statement_timestamp() THEN old_secret END AS "oldSecret",
  kinds, state, failures, failing_since AS "failingSince", version,
  create_time AS "createTime", update_time AS "updateTime"`;

const add = statement(
  "webhook-add",
  `INSERT INTO webhook (webhook_id, owner_id, display_name, url, secret, kinds, state, create_time, update_time)
   SELECT $1, $2, $3, $4, $5, $6::text[], $7, statement_timestamp(), statement_timestamp()
   WHERE (SELECT count(*) FROM webhook WHERE owner_id = $2) < ${maxWebhooks}
   RETURNING ${columns}`,
  { operation: "INSERT", collection: "webhook" },
);
const list = statement(
  "webhook-list",
  `SELECT ${columns} FROM webhook WHERE owner_id = $1 ORDER BY create_time, webhook_id`,
  { operation: "SELECT", collection: "webhook" },
);
const get = statement("webhook-get", `SELECT ${columns} FROM webhook WHERE webhook_id = $1`, {
  operation: "SELECT",
  collection: "webhook",
});
const lock = statement("webhook-lock", `${get.text} AND owner_id = $2 FOR UPDATE`, get.summary);
const change = statement(
  "webhook-change",
  `UPDATE webhook SET display_name = $2, url = $3, kinds = $4::text[], state = $5,
     failures = CASE WHEN $5 = 'enabled' AND state <> 'enabled' THEN 0 ELSE failures END,
     failing_since = CASE WHEN $5 = 'enabled' AND state <> 'enabled' THEN NULL ELSE failing_since END,
     version = version + 1, update_time = statement_timestamp()
   WHERE webhook_id = $1 RETURNING ${columns}`,
  { operation: "UPDATE", collection: "webhook" },
);
const rotate = statement(
  "webhook-rotate",
  `UPDATE webhook SET old_secret = secret, old_secret_expire_time = statement_timestamp() + interval '${oldSecretKept}',
     secret = $2, version = version + 1, update_time = statement_timestamp()
   WHERE webhook_id = $1`,
);
const remove = statement("webhook-remove", "DELETE FROM webhook WHERE webhook_id = $1");
const succeeded = statement(
  "webhook-succeeded",
  "UPDATE webhook SET failures = 0, failing_since = NULL WHERE webhook_id = $1 AND failures > 0",
);
const failed = statement(
  "webhook-failed",
  `UPDATE webhook SET failures = failures + 1, failing_since = coalesce(failing_since, statement_timestamp()),
     state = next.state, version = version + next.is_disabled::int
   FROM (
     SELECT webhook_id, is_disabled, CASE WHEN is_disabled THEN CASE WHEN $2 THEN 'gone' ELSE 'failing' END ELSE state END AS state
     FROM (
       SELECT *, state = 'enabled' AND ($2 OR (failures + 1 >= $3
         AND failing_since <= statement_timestamp() - make_interval(secs => $4)) IS TRUE) AS is_disabled
       FROM webhook WHERE webhook_id = $1 FOR UPDATE
     ) locked
   ) next
   WHERE webhook.webhook_id = next.webhook_id
   RETURNING webhook.state, is_disabled AS "isDisabled"`,
  { operation: "UPDATE", collection: "webhook" },
);

/** Seals what is secret of webhooks, and opens it. */
export class Webhooks {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** Adds one, in a transaction that has the owner's inbox locked. Undefined when the owner has as many as may be. */
  async add(
    em: EntityManager,
    made: Pick<Webhook, "ownerId" | "displayName" | "url" | "kinds" | "state">,
    secret: Buffer,
  ): Promise<Webhook | undefined> {
    const webhookId = newId();
    const { ownerId, displayName, url, kinds, state } = made;
    const sealed = [this.#seal(webhookId, "url", Buffer.from(url)), this.#seal(webhookId, "secret", secret)];
    const [row] = await execute<Row>(em, add, [webhookId, ownerId, displayName, ...sealed, kinds, state]);
    return row && this.#open(row);
  }

  async list(db: Database, ownerId: string, signal: AbortSignal): Promise<Webhook[]> {
    const rows = await db.query<Row>(list, [ownerId], { signal });
    return rows.map((row) => this.#open(row));
  }

  async get(db: Database, webhookId: string, signal: AbortSignal): Promise<OpenWebhook | undefined> {
    const [row] = await db.query<Row>(get, [webhookId], { signal });
    return row && this.#open(row);
  }

  /** One of the owner's, locked for a change. */
  async lock(em: EntityManager, ownerId: string, webhookId: string): Promise<Webhook | undefined> {
    const [row] = await execute<Row>(em, lock, [webhookId, ownerId]);
    return row && this.#open(row);
  }

  /** Changes one that is locked. */
  async change(em: EntityManager, { webhookId, displayName, url, kinds, state }: Webhook): Promise<Webhook> {
    const sealed = this.#seal(webhookId, "url", Buffer.from(url));
    const [row] = await execute<Row>(em, change, [webhookId, displayName, sealed, kinds, state]);
    return this.#open(row as Row);
  }

  async rotate(em: EntityManager, webhookId: string, secret: Buffer): Promise<void> {
    await execute(em, rotate, [webhookId, this.#seal(webhookId, "secret", secret)]);
  }

  #open({ url, secret, oldSecret, ...row }: Row): OpenWebhook {
    const { webhookId } = row;
    const secrets = [secret, ...(oldSecret ? [oldSecret] : [])];
    return {
      ...row,
      url: unseal(url, this.#key, `${webhookId} url`).toString(),
      secrets: secrets.map((sealed) => unseal(sealed, this.#key, `${webhookId} secret`)),
    };
  }

  #seal(webhookId: string, what: "url" | "secret", plain: Buffer): Buffer {
    return seal(plain, this.#key, `${webhookId} ${what}`);
  }
}

export async function removeWebhook(em: EntityManager, webhookId: string): Promise<void> {
  await execute(em, remove, [webhookId]);
}

/** A try did not fail: those before it are forgotten. */
export async function webhookSucceeded(db: Database, webhookId: string): Promise<void> {
  await db.query(succeeded, [webhookId]);
}

/** From when on a webhook that fails is not called any more. */
export interface Patience {
  failures: number;
  seconds: number;
}

/** A try failed. Answers with the state that this led to, if it is the try that disabled the webhook. */
export async function webhookFailed(
  em: EntityManager,
  { webhookId, isGone, patience }: { webhookId: string; isGone: boolean; patience: Patience },
): Promise<WebhookState | undefined> {
  const values = [webhookId, isGone, patience.failures, patience.seconds];
  const [row] = await execute<{ state: WebhookState; isDisabled: boolean }>(em, failed, values);
  return row?.isDisabled ? row.state : undefined;
}
