import { OutboundError } from "#kit/http/outbound.ts";
import { attributes } from "#observability/names.ts";
import { SpanKind, setAttributes, withSpan } from "#observability/tracing.ts";
import type { OpenWebhook } from "../../services/notification/db/webhook.repository.ts";
import type { DeliveryOrder } from "../delivery.ts";
import { bodyOf } from "./body.ts";
import type { WebhookGroupContext } from "./context.ts";
import { signedHeaders } from "./signature.ts";

/** What a webhook made of a message. Nothing of its URL or of its answer's text is kept. */
export type Verdict =
  | { kind: "taken" }
  | { kind: "gone" }
  /** It makes sense to try again, or none: nothing was sent. */
  | { kind: "again" | "refused"; failure: string };

const userAgent = "Taskmesh-Webhooks/1";

/** Sends one message, signed anew at every try. Throws only what the signal says. */
export function callWebhook(
  { outbound }: Pick<WebhookGroupContext, "outbound">,
  { url, secrets }: OpenWebhook,
  { deliveryId, notification }: Pick<DeliveryOrder, "deliveryId" | "notification">,
  signal: AbortSignal,
): Promise<Verdict> {
  return withSpan("send webhook", { kind: SpanKind.CLIENT }, async (span) => {
    const now = new Date();
    const body = bodyOf(notification, now);
    const message = { id: deliveryId, timestamp: Math.floor(now.getTime() / 1000), body };
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "user-agent": userAgent,
      ...signedHeaders(message, secrets),
    };
    try {
      const { status } = await outbound.post(url, { headers, body, signal });
      setAttributes(span, { [attributes.outcome]: `http_${status}` });
      return verdictOn(status);
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
      setAttributes(span, { [attributes.outcome]: error.fault });
      return { kind: error.isRefused ? "refused" : "again", failure: error.fault };
    }
  });
}

function verdictOn(status: number): Verdict {
  if (status >= 200 && status < 300) return { kind: "taken" };
  return status === 410 ? { kind: "gone" } : { kind: "again", failure: `http_${status}` };
}
