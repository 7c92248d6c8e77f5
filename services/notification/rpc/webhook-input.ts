import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Webhook_State, type Webhook as WebhookMessage } from "#gen/notification/v1/webhook_pb.js";
import type { EntityManager } from "#kit/db/database.ts";
import { invalidArgument, notFound } from "#kit/errors.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import type { RefusedUrl } from "#kit/http/outbound-url.ts";
import type { NotificationContext } from "../context.ts";
import type { Webhook } from "../db/webhook.repository.ts";
import { kindsFromProto, stateFromProto } from "./convert-webhook.ts";

const faults: Record<RefusedUrl, string> = {
  url_invalid: "must be a URL",
  url_scheme: "must be a URL with https",
  url_credentials: "must not hold a user name or a password",
  url_port: "must have the port 80, 443 or one from 1024 on",
  address_forbidden: "must lead to an address of the public Internet",
};

/** Reads the URL of a webhook. Throws INVALID_ARGUMENT for one that must not be called. */
export function urlOf({ outbound }: Pick<NotificationContext, "outbound">, text: string): string {
  const url = outbound.read(text);
  if (typeof url === "string") throw invalidArgument("webhook.url", faults[url]);
  url.hash = "";
  return url.href;
}

const changes = {
  display_name: (given: WebhookMessage) => ({ displayName: given.displayName }),
  url: (given: WebhookMessage, ctx: NotificationContext) => ({ url: urlOf(ctx, given.url) }),
  types: (given: WebhookMessage) => ({ kinds: kindsFromProto(given.types) }),
  state: (given: WebhookMessage) => ({ state: wishedState(given.state) }),
} satisfies Record<string, (given: WebhookMessage, ctx: NotificationContext) => Partial<Webhook>>;

type Path = keyof typeof changes;

const isGiven: Record<Path, (given: WebhookMessage) => boolean> = {
  display_name: ({ displayName }) => displayName !== "",
  url: ({ url }) => url !== "",
  types: ({ types }) => types.length > 0,
  state: ({ state }) => state !== Webhook_State.UNSPECIFIED,
};

/** What a change names, or without a mask gives. Throws INVALID_ARGUMENT. */
export function changesOf(
  ctx: NotificationContext,
  given: WebhookMessage,
  mask: readonly string[] = [],
): Partial<Webhook> {
  const all = Object.keys(changes) as Path[];
  const paths =
    mask.length === 0 ? all.filter((path) => isGiven[path](given)) : mask.flatMap((path) => pathsOf(path, all));
  return Object.assign({}, ...paths.map((path) => changes[path](given, ctx)));
}

function pathsOf(path: string, all: Path[]): Path[] {
  if (path === "*") return all;
  if (path === "webhook_id" || path === "etag") return [];
  const known = all.find((each) => each === path);
  if (known === undefined) throw invalidArgument("update_mask", `"${path.slice(0, 60)}" cannot be changed`);
  return [known];
}

export function wishedState(state: Webhook_State): "enabled" | "disabled" {
  const wished = stateFromProto(state);
  if (wished === undefined) throw invalidArgument("webhook.state", "must be STATE_ENABLED or STATE_DISABLED");
  return wished;
}

/** The caller's webhook, locked for a change. Throws NOT_FOUND. */
export async function lockWebhook(
  { webhooks }: NotificationContext,
  em: EntityManager,
  call: CallContext,
  webhookId: string,
): Promise<Webhook> {
  const webhook = await webhooks.lock(em, call.userId, webhookId);
  if (webhook === undefined) throw webhookNotFound();
  return webhook;
}

/** The caller's webhook. Throws NOT_FOUND. */
export async function readWebhook(ctx: NotificationContext, call: CallContext, webhookId: string): Promise<Webhook> {
  const webhook = await ctx.webhooks.get(ctx.database, webhookId, call.signal);
  if (webhook?.ownerId !== call.userId) throw webhookNotFound();
  return webhook;
}

function webhookNotFound() {
  return notFound(ErrorReason.WEBHOOK_NOT_FOUND, "no such webhook");
}
