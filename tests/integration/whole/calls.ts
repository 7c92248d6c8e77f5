import { ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { codeName } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import type { Person, Stack } from "./stack.ts";

/** A REST answer with its JSON read. */
export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  body: any;
}

/** Calls the edge by REST as somebody. */
export async function rest(
  stack: Stack,
  { headers }: Pick<Person, "headers">,
  call: string,
  options: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Reply> {
  const [method = "GET", path] = call.split(" ");
  const response = await fetch(`${stack.edge}${path}`, {
    method,
    headers: { ...headers, ...options.headers },
    ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
    ...(options.signal && { signal: options.signal }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) };
}

export const protocols = ["Connect JSON", "Connect", "gRPC-Web", "gRPC"] as const;
export type Protocol = (typeof protocols)[number];

export function transportTo({ edge: baseUrl }: Stack, protocol: Protocol): Transport {
  switch (protocol) {
    case "gRPC":
      return createGrpcTransport({ baseUrl });
    case "gRPC-Web":
      return createGrpcWebTransport({ baseUrl, httpVersion: "1.1" });
    default:
      return createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: protocol === "Connect" });
  }
}

export const taskClient = (stack: Stack, protocol: Protocol) => createClient(TaskService, transportTo(stack, protocol));

/** How a call ended that should fail. */
export async function failure(call: Promise<unknown>) {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => ConnectError.from(thrown),
  );
  if (error === undefined) throw new Error("the call went well");
  const [info] = error.findDetails(ErrorInfoSchema);
  return { code: codeName(error.code), reason: info?.reason, metadata: info?.metadata };
}

/** Puts an entry in somebody's inbox, as the consumers do. Answers with its id. */
export async function newNotification({ sql: { notification } }: Stack, { userId }: Person): Promise<string> {
  const notificationId = newId();
  await notification.query("INSERT INTO inbox_state (recipient_id) VALUES ($1) ON CONFLICT DO NOTHING", [userId]);
  await notification.query(
    `WITH state AS (UPDATE inbox_state SET unread_count = unread_count + 1, revision = revision + 1
       WHERE recipient_id = $2 RETURNING revision)
     INSERT INTO notification (notification_id, recipient_id, source_event_id, position, kind, title, body, create_time, trace_id)
     SELECT $1, $2, $1, revision, 'task_shared', 'title', '', now(), '' FROM state`,
    [notificationId, userId],
  );
  return notificationId;
}

/** A new webhook, with the answer to its making; the oldest goes when there is no room for one more. */
export async function newWebhook(stack: Stack, person: Person) {
  const { webhooks } = (await rest(stack, person, "GET /v1/webhooks")).body;
  if (webhooks.length >= 9) await rest(stack, person, `DELETE /v1/webhooks/${webhooks[0].webhookId}`);
  const body = { url: `https://hooks.example.org/${newId()}` };
  return (await rest(stack, person, "POST /v1/webhooks", { body })).body;
}
