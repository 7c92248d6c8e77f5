import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { AuthService, Tier } from "#gen/auth/v1/auth_service_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { type Client, createClient, MeshChannel } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { extractContext, withContext } from "#observability/tracing.ts";
import { findHome } from "../../cli/runner/home.ts";
import type { TestMesh } from "../_util/mesh.ts";
import { type Answer, call, type Person } from "../_util/person.ts";
import { PushBrowser } from "../_util/push-browser.ts";
import { until } from "../_util/until.ts";
import { traceIdsIn, writeJunk } from "./failing-events.ts";
import { begin } from "./traced.ts";

// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
type Body = any;

/** Who calls, and what came of the calls before. */
export interface Stage {
  mesh: TestMesh;
  ann: Person;
  bob: Person;
  headers: Record<string, string>;
  /** Answers by the name of their RPC. */
  answers: Map<string, Body>;
}

/** Makes one call of an RPC that succeeds; answers with the body. */
type Play = (stage: Stage) => Promise<Body>;

const password = randomUUID();
const email = `dora.${randomUUID().slice(0, 8)}@example.com`;

const by =
  (target: (answers: (rpc: string) => Body) => string, body?: (stage: Stage) => unknown): Play =>
  async (stage) => {
    const { ann, headers, answers } = stage;
    return succeeded(
      await ann.call(
        target((rpc) => answers.get(rpc)),
        body?.(stage),
        { headers },
      ),
    );
  };
const anonymous =
  (target: string, body?: (stage: Stage) => unknown): Play =>
  async (stage) =>
    succeeded(await call(stage.mesh.edge, target, body?.(stage), { headers: stage.headers }));
const byBob =
  (target: (stage: Stage) => Promise<string> | string, body?: unknown): Play =>
  async (stage) =>
    succeeded(await stage.bob.call(await target(stage), body, { headers: stage.headers }));
const inMesh =
  <S extends DescService>(desc: S, as: string, run: (client: Client<S>, stage: Stage) => Promise<Body>): Play =>
  (stage) =>
    meshCall(stage, as, (channel, identity) => run(createClient(desc, channel, { identity }), stage));

const task = (answers: (rpc: string) => Body) => answers("task.v1.TaskService/CreateTask").taskId;

const reminder = (answers: (rpc: string) => Body) => answers("task.v1.TaskService/CreateReminder").reminderId;

const imported = (answers: (rpc: string) => Body) => answers("task.v1.TaskService/ImportTasks").taskIds[0];

/** One successful call of every RPC, in an order in which each finds what it needs. */
export const calls: Readonly<Record<string, Play>> = {
  "auth.v1.AuthService/Register": anonymous("POST /v1/auth/register", () => ({ email, password })),
  "auth.v1.AuthService/Login": anonymous("POST /v1/auth/login", () => ({ email, password })),
  "auth.v1.AuthService/RefreshToken": anonymous("POST /v1/auth/refresh", ({ answers }) => ({
    refreshToken: answers.get("auth.v1.AuthService/Login").refreshToken,
  })),
  "auth.v1.AuthService/GetJwks": anonymous("GET /.well-known/jwks.json"),
  "auth.v1.AuthService/CreateApiKey": by(
    () => "POST /v1/apiKeys",
    () => ({ name: "key", scopes: ["tasks:read"] }),
  ),
  "auth.v1.AuthService/ListApiKeys": by(() => "GET /v1/apiKeys"),
  "auth.v1.AuthService/ExchangeApiKey": inMesh(AuthService, "gateway", (auth, { answers }) =>
    auth.exchangeApiKey({ key: answers.get("auth.v1.AuthService/CreateApiKey").key }),
  ),
  "auth.v1.AuthService/RevokeApiKey": by(
    (answers) => `DELETE /v1/apiKeys/${answers("auth.v1.AuthService/CreateApiKey").apiKey.apiKeyId}`,
  ),
  "auth.v1.AuthService/SetTier": inMesh(AuthService, "operator", (auth) => auth.setTier({ email, tier: Tier.PREMIUM })),
  "auth.v1.AuthService/ListRevokedSessions": inMesh(AuthService, "task", (auth) => auth.listRevokedSessions({})),
  "user.v1.UserService/GetMe": by(() => "GET /v1/me"),
  "user.v1.UserService/UpdateMe": by(
    () => "PATCH /v1/me",
    () => ({ displayName: "Anna" }),
  ),
  "user.v1.UserService/LookupUser": by(() => `GET /v1/users:lookup?email=${email}`),
  "user.v1.UserService/BatchGetUsers": inMesh(UserService, "task", (users, { bob }) =>
    users.batchGetUsers({ userIds: [bob.userId] }),
  ),
  "user.v1.UserService/CreateUser": inMesh(UserService, "auth", (users) =>
    users.createUser({ userId: newId(), email: `${newId()}@example.com`, displayName: "Eve" }),
  ),
  "task.v1.TaskService/CreateTask": by(
    () => "POST /v1/tasks",
    ({ bob }) => ({ title: "Water the tomatoes", assigneeIds: [bob.userId] }),
  ),
  "task.v1.TaskService/FindTaskPeers": inMesh(TaskService, "notification", (tasks, { ann, bob }) =>
    tasks.findTaskPeers({ userId: ann.userId, peerIds: [bob.userId] }),
  ),
  "notification.v1.NotificationService/RaiseAlert": by(
    () => "POST /v1/alerts",
    ({ bob }) => ({ message: "Water in the cellar", recipientIds: [bob.userId] }),
  ),
  "notification.v1.NotificationService/ListAlerts": by(() => "GET /v1/alerts"),
  "notification.v1.NotificationService/AcknowledgeAlert": byBob(
    ({ answers }) =>
      `POST /v1/alerts/${answers.get("notification.v1.NotificationService/RaiseAlert").alertId}:acknowledge`,
    {},
  ),
  "task.v1.TaskService/GetTask": by((answers) => `GET /v1/tasks/${task(answers)}`),
  "task.v1.TaskService/ListTasks": by(() => "GET /v1/tasks"),
  "task.v1.TaskService/GetTaskStats": by(() => "GET /v1/tasks:stats"),
  "task.v1.TaskService/UpdateTask": by(
    (answers) => `PATCH /v1/tasks/${task(answers)}`,
    () => ({ title: "Water the beans" }),
  ),
  "task.v1.TaskService/CreateComment": by(
    (answers) => `POST /v1/tasks/${task(answers)}/comments`,
    () => ({ text: "Twice a day" }),
  ),
  "task.v1.TaskService/ListComments": by((answers) => `GET /v1/tasks/${task(answers)}/comments`),
  "task.v1.TaskService/ListTaskActivity": by((answers) => `GET /v1/tasks/${task(answers)}/activity`),
  "task.v1.TaskService/CreateReminder": by(
    (answers) => `POST /v1/tasks/${task(answers)}/reminders`,
    () => ({ at: new Date(Date.now() + 86_400_000).toISOString() }),
  ),
  "task.v1.TaskService/ListReminders": by((answers) => `GET /v1/tasks/${task(answers)}/reminders`),
  "task.v1.TaskService/SnoozeReminder": by(
    (answers) => `POST /v1/tasks/${task(answers)}/reminders/${reminder(answers)}:snooze`,
    () => ({ duration: "3600s" }),
  ),
  "task.v1.TaskService/DeleteReminder": by(
    (answers) => `DELETE /v1/tasks/${task(answers)}/reminders/${reminder(answers)}`,
  ),
  "task.v1.TaskService/CreateLabel": by(
    () => "POST /v1/labels",
    () => ({ name: "garden" }),
  ),
  "task.v1.TaskService/ListLabels": by(() => "GET /v1/labels"),
  "task.v1.TaskService/ImportTasks": by(
    () => "POST /v1/tasks:import",
    () => ({
      format: "FORMAT_TODOIST_CSV",
      content: Buffer.from("TYPE,CONTENT,PRIORITY,INDENT\ntask,@garden2 Dig,1,1\n").toString("base64"),
    }),
  ),
  "task.v1.TaskService/CompleteTask": by(
    (answers) => `POST /v1/tasks/${task(answers)}:complete`,
    () => ({}),
  ),
  "task.v1.TaskService/DeleteTask": by((answers) => `DELETE /v1/tasks/${task(answers)}`),
  "task.v1.TaskService/ShareTask": by(
    (answers) => `POST /v1/tasks/${imported(answers)}:share`,
    ({ answers }) => ({ userId: answers.get("auth.v1.AuthService/Login").user.userId, role: "ROLE_VIEWER" }),
  ),
  "task.v1.TaskService/ListCollaborators": by((answers) => `GET /v1/tasks/${imported(answers)}/collaborators`),
  "notification.v1.NotificationService/ListNotifications": byBob(() => "GET /v1/notifications"),
  "notification.v1.NotificationService/MarkRead": byBob(
    ({ answers }) =>
      `POST /v1/notifications/${answers.get("notification.v1.NotificationService/ListNotifications").notifications[0].notificationId}:markRead`,
    {},
  ),
  "notification.v1.NotificationService/GetUnreadCount": byBob(() => "GET /v1/notifications:unreadCount"),
  "notification.v1.NotificationService/WatchNotifications": watch,
  "notification.v1.NotificationService/GetPushKey": by(() => "GET /v1/push-key"),
  "notification.v1.NotificationService/CreatePushSubscription": by(
    () => "POST /v1/push-subscriptions",
    () => ({ endpoint: "https://push.example.org/ann", keys: new PushBrowser().keys }),
  ),
  "notification.v1.NotificationService/ListPushSubscriptions": by(() => "GET /v1/push-subscriptions"),
  "notification.v1.NotificationService/DeletePushSubscription": by(
    (answers) =>
      `DELETE /v1/push-subscriptions/${answers("notification.v1.NotificationService/CreatePushSubscription").pushSubscriptionId}`,
  ),
  "notification.v1.NotificationService/CreateWebhook": createWebhook,
  "notification.v1.NotificationService/ListWebhooks": by(() => "GET /v1/webhooks"),
  "notification.v1.NotificationService/GetWebhook": by((answers) => `GET /v1/webhooks/${webhook(answers)}`),
  "notification.v1.NotificationService/UpdateWebhook": by(
    (answers) => `PATCH /v1/webhooks/${webhook(answers)}`,
    () => ({ displayName: "Ann's server" }),
  ),
  "notification.v1.NotificationService/RotateWebhookSecret": by(
    (answers) => `POST /v1/webhooks/${webhook(answers)}:rotateSecret`,
    () => ({}),
  ),
  "notification.v1.NotificationService/TestWebhook": by(
    (answers) => `POST /v1/webhooks/${webhook(answers)}:test`,
    () => ({}),
  ),
  "notification.v1.NotificationService/ListWebhookDeliveries": by(
    (answers) => `GET /v1/webhooks/${webhook(answers)}/deliveries`,
  ),
  "notification.v1.NotificationService/ReplayWebhookDeliveries": by(
    (answers) => `POST /v1/webhooks/${webhook(answers)}:replay`,
    ({ answers }) => ({
      webhookDeliveryId: answers.get("notification.v1.NotificationService/TestWebhook").webhookDeliveryId,
    }),
  ),
  "notification.v1.NotificationService/DeleteWebhook": by((answers) => `DELETE /v1/webhooks/${webhook(answers)}`),
  "notification.v1.NotificationService/ListDeadLetters": inMesh(NotificationService, "operator", (notification) =>
    notification.listDeadLetters({}),
  ),
  "notification.v1.NotificationService/RedriveDeadLetters": redrive,
  "notification.v1.NotificationService/DiscardDeadLetters": discard,
  "auth.v1.AuthService/Logout": by(
    () => "POST /v1/auth/logout",
    () => ({}),
  ),
};

const webhook = (answers: (rpc: string) => Body): string =>
  answers("notification.v1.NotificationService/CreateWebhook").webhook.webhookId;

/** One that takes everything, for as long as this process lives. */
async function createWebhook({ ann, headers }: Stage): Promise<Body> {
  const server = createServer((request, response) => request.resume().on("end", () => response.end())).unref();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return succeeded(await ann.call("POST /v1/webhooks", { url }, { headers }));
}

/** Listens until the first message, which comes at once, and goes. */
async function watch({ mesh, bob, headers }: Stage): Promise<void> {
  const leave = new AbortController();
  const response = await fetch(`${mesh.edge}/v1/notifications:watch`, {
    headers: { ...headers, authorization: `Bearer ${bob.token}`, accept: "text/event-stream" },
    signal: leave.signal,
  });
  if (response.status !== 200) throw new Error(`watch answered ${response.status}`);
  await response.body?.getReader().read();
  leave.abort();
}

/** Sends back the dead letter of an event that no group can read. */
async function redrive(stage: Stage): Promise<Body> {
  await writeJunk(stage.mesh, "notification.deliveries.v1", begin());
  await traceIdsIn(stage.mesh, "email.dlq.v1");
  return asOperator(stage, (notification) => notification.redriveDeadLetters({ group: "email" }));
}

/** Forgets it, once it is one again. */
async function discard(stage: Stage): Promise<Body> {
  const again = () =>
    asOperator({ ...stage, headers: {} }, async (notification) => {
      const { deadLetters } = await notification.listDeadLetters({ group: "email" });
      return deadLetters.length > 0;
    });
  await until("the dead letter to be one again", again);
  return asOperator(stage, (notification) => notification.discardDeadLetters({ group: "email" }));
}

const asOperator = <T>(stage: Stage, run: (client: Client<typeof NotificationService>) => Promise<T>) =>
  meshCall(stage, "operator", (channel, identity) => run(createClient(NotificationService, channel, { identity })));

/** Runs something as a service of the mesh does, on its inner listener and in the trace of the headers. */
export async function meshCall<T>(
  { mesh, headers }: Pick<Stage, "mesh" | "headers">,
  as: string,
  run: (channel: MeshChannel, identity: Identity) => Promise<T>,
): Promise<T> {
  const envoy = (await mesh.status()).instances.find(({ name }) => name.startsWith("envoy"));
  const { keys } = findHome(mesh.environment.MESH_HOME);
  const files = { keyFile: join(keys, `${as}.jwk.json`), jwksFile: join(keys, "services.jwks.json") };
  const channel = new MeshChannel(`127.0.0.1:${envoy?.ports.mesh}`);
  try {
    const identity = await Identity.load(files);
    return await withContext(extractContext(headers), () => run(channel, identity));
  } finally {
    channel.close();
  }
}

function succeeded({ status, body }: Answer): Body {
  if (status !== 200) throw new Error(`answered ${status}: ${JSON.stringify(body)}`);
  return body;
}
