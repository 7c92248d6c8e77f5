import { encryptNotification } from "@block65/webcrypto-web-push";
import type { Notification } from "#gen/notification/v1/notification_pb.js";
import { OutboundError } from "#kit/http/outbound.ts";
import { attributes } from "#observability/names.ts";
import { SpanKind, setAttributes, withSpan } from "#observability/tracing.ts";
import type { PushTarget } from "../../services/notification/db/push-subscription.repository.ts";
import type { PushGroupContext } from "./context.ts";
import { composePush, timeToLive, topicOf, urgencyOf } from "./message.ts";

/** What a push service said: it has it, the browser is gone, it never will take it, or it may later. */
export type PushAnswer =
  | { state: "taken" }
  | { state: "gone" }
  | { state: "failed"; failure: string }
  | { state: "again"; failure: string; afterMs?: number | undefined };

/** Sends a notification to one browser, a shorter one where the usual is too long for its push service. */
export function push(
  ctx: PushGroupContext,
  target: PushTarget,
  notification: Notification,
  signal: AbortSignal,
): Promise<PushAnswer> {
  // Not the service's address: a person's own may be among them.
  return withSpan("send push", { kind: SpanKind.CLIENT }, async (span) => {
    const usual = await post(ctx, target, notification, "usual", signal);
    const isTooLong = usual.state === "failed" && usual.failure === "push_413";
    const answer = isTooLong ? await post(ctx, target, notification, "short", signal) : usual;
    setAttributes(span, { [attributes.outcome]: "failure" in answer ? answer.failure : answer.state });
    return answer;
  });
}

async function post(
  { signatures, pushServices, publicUrl }: PushGroupContext,
  target: PushTarget,
  notification: Notification,
  size: "usual" | "short",
  signal: AbortSignal,
): Promise<PushAnswer> {
  const { browser } = target;
  const text = Buffer.from(composePush(notification, publicUrl, size));
  // Padded, so that its length tells nothing.
  const body = await encryptNotification({ ...browser, expirationTime: null }, text, { pad: size === "usual" });
  const headers = {
    authorization: await signatures.authorization(target),
    ttl: timeToLive(notification, new Date()),
    urgency: urgencyOf(notification),
    topic: topicOf(notification),
    "content-encoding": "aes128gcm",
    "content-type": "application/octet-stream",
    "content-length": body.byteLength,
  };
  try {
    return answerOf(await pushServices.post(browser.endpoint, { headers, body, signal }));
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    return { state: error.isRefused ? "failed" : "again", failure: error.fault };
  }
}

function answerOf({ status, retryAfterMs }: { status: number; retryAfterMs: number | undefined }): PushAnswer {
  if (status >= 200 && status < 300) return { state: "taken" };
  if (status === 404 || status === 410) return { state: "gone" };
  const failure = `push_${status}`;
  if (status === 429 || status >= 500) return { state: "again", failure, afterMs: retryAfterMs };
  return { state: "failed", failure };
}
