import { once } from "node:events";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { WebSocket } from "ws";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { call, Person } from "../../_util/person.ts";
import { until } from "../../_util/until.ts";

/** Two people's day: something of everything that is measured. Answers once it has had its effects. */
export async function work(edge: string): Promise<{ ann: Person; bob: Person }> {
  const [ann, bob] = await Promise.all([Person.register(edge, "Ann"), Person.register(edge, "Bob")]);
  await signIn(edge);
  await useKey(ann);
  const { taskId } = await ann.ask("POST /v1/tasks", { title: "Water the tomatoes", assigneeIds: [bob.userId] });
  const close = await openStreams(bob);
  await ann.ask(`POST /v1/tasks/${taskId}/comments`, { text: "Twice a day" });
  await ann.ask(`POST /v1/tasks/${taskId}:share`, { userId: bob.userId, role: "ROLE_EDITOR" }).catch(() => {});
  const found = await ann.call(`GET /v1/tasks/${taskId}`);
  const etag = found.headers.get("etag") ?? "";
  await ann.call(`GET /v1/tasks/${taskId}`, undefined, { headers: { "if-none-match": etag } });
  await ann.call(`PATCH /v1/tasks/${taskId}`, { title: "Water all plants" }, { headers: { "if-match": etag } });
  await ann.ask(`POST /v1/tasks/${taskId}:complete`, {});
  await ann.call("PATCH /v1/me", { displayName: "Anna" });
  const content = Buffer.from("TYPE,CONTENT,PRIORITY,INDENT\ntask,Weed,1,1\n").toString("base64");
  await ann.ask("POST /v1/tasks:import", { format: "FORMAT_TODOIST_CSV", content });
  await ann.call("GET /v1/tasks/01900000-0000-7000-8000-000000000000");
  await ann.call("GET /v1/tasks?pageSize=-1");
  await call(edge, "GET /v1/tasks");
  await call(edge, "GET /nothing/here");
  const entry = await until("an entry in the inbox", async () => {
    const { notifications } = await bob.ask("GET /v1/notifications");
    return notifications[0] as { notificationId: string } | undefined;
  });
  await bob.ask(`POST /v1/notifications/${entry.notificationId}:markRead`, {});
  await close();
  return { ann, bob };
}

/** Logs in, rightly and wrongly, and takes a new token. */
async function signIn(edge: string): Promise<void> {
  const account = { email: `carl.${Date.now()}@example.com`, password: "correct horse battery" };
  const { body } = await call(edge, "POST /v1/auth/register", { ...account, displayName: "Carl" });
  await call(edge, "POST /v1/auth/login", account);
  await call(edge, "POST /v1/auth/login", { ...account, password: "wrong horse battery" });
  await call(edge, "POST /v1/auth/refresh", { refreshToken: body.refreshToken });
}

async function useKey(person: Person): Promise<void> {
  const { key } = await person.ask("POST /v1/apiKeys", { name: "script", scopes: ["tasks:read"] });
  for (let times = 0; times < 2; times++) await call(person.edge, "GET /v1/tasks", undefined, { token: key });
}

/** Watches an inbox in every way there is. Answers with what ends them, once each has begun. */
async function openStreams(person: Person): Promise<() => Promise<void>> {
  const leaving = new AbortController();
  const headers = { authorization: `Bearer ${person.token}` };
  const socket = new WebSocket(`${person.edge.replace("http", "ws")}/v1/live`, "taskmesh.v1", { headers });
  await once(socket, "open");
  for (const accept of ["text/event-stream", "application/x-ndjson"]) {
    await fetch(`${person.edge}/v1/notifications:watch`, { headers: { ...headers, accept }, signal: leaving.signal });
  }
  const transports = [
    createGrpcTransport({ baseUrl: person.edge }),
    createConnectTransport({ baseUrl: person.edge, httpVersion: "1.1" }),
  ];
  for (const transport of transports) {
    const stream = createClient(NotificationService, transport).watchNotifications(
      {},
      { headers, signal: leaving.signal },
    );
    await stream[Symbol.asyncIterator]().next();
  }
  return async () => {
    const closed = once(socket, "close");
    leaving.abort();
    socket.close();
    await closed;
  };
}
