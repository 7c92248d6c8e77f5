import { createHmac } from "node:crypto";

/** A message to a webhook as it is sent. */
export interface SignedMessage {
  /** The same however often the message is sent. */
  id: string;
  /** When it is sent, in whole seconds since 1970. */
  timestamp: number;
  body: string;
}

/** The headers of Standard Webhooks, signed with HMAC-SHA256 (the scheme v1) and with each of the secrets. */
export function signedHeaders({ id, timestamp, body }: SignedMessage, secrets: readonly Buffer[]) {
  const signatures = secrets.map((secret) => {
    const hmac = createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`);
    return `v1,${hmac.digest("base64")}`;
  });
  return { "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": signatures.join(" ") };
}
