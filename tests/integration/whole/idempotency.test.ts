import { randomUUID } from "node:crypto";
import { type DescMethodUnary, getOption, type JsonObject } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Access, policy } from "#gen/mesh/v1/options_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { Transcoder } from "../../../gateway/transcoding/transcoder.ts";
import { PushBrowser } from "../../_util/push-browser.ts";
import { until } from "../../_util/until.ts";
import { newNotification, newWebhook, type Protocol, protocols, rest, transportTo } from "./calls.ts";
import { type Person, password, type Stack, startStack } from "./stack.ts";

let stack: Stack;
let ada: Person;
let bob: Person;
beforeAll(async () => {
  stack = await startStack();
  ada = await stack.person();
  bob = await stack.person();
});
afterAll(() => stack.close());

/** A write that can be done once and again, and another request that the same key must not stand for. */
interface Write {
  /** REST method and path, and the body. */
  call: string;
  body?: JsonObject;
  other: { call?: string; body?: JsonObject };
  headers?: Record<string, string>;
}

const anonymous = { "content-type": "application/json" };
const credentials = ({ email }: Person) => ({ email, password });

async function newTask(): Promise<{ taskId: string; etag: string }> {
  return (await rest(stack, ada, "POST /v1/tasks", { body: { title: "there" } })).body;
}

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

async function newReminder(taskId: string): Promise<string> {
  return (await rest(stack, ada, `POST /v1/tasks/${taskId}/reminders`, { body: { at: inDays(1) } })).body.reminderId;
}

async function ofWebhook(method: string, suffix: string, body?: JsonObject) {
  const [one, another] = [await newWebhook(stack, ada), await newWebhook(stack, ada)];
  const call = (made: typeof one) => `${method} /v1/webhooks/${made.webhook.webhookId}${suffix}`;
  return { call: call(one), ...(body && { body }), other: { call: call(another) } };
}

const newPushSubscription = () => ({
  endpoint: `https://push.example.org/${newId()}`,
  keys: new PushBrowser().keys,
});
const newApiKey = (name: string) => ({ name, scopes: ["tasks:read"] });

const writes: Record<string, () => Promise<Write>> = {
  CreateTask: async () => ({ call: "POST /v1/tasks", body: { title: newId() }, other: { body: { title: "other" } } }),
  UpdateTask: async () => {
    const call = `PATCH /v1/tasks/${(await newTask()).taskId}`;
    return { call, body: { title: "changed" }, other: { body: { title: "other" } } };
  },
  CompleteTask: async () => {
    const [{ taskId }, other] = [await newTask(), await newTask()];
    return {
      call: `POST /v1/tasks/${taskId}:complete`,
      body: {},
      other: { call: `POST /v1/tasks/${other.taskId}:complete` },
    };
  },
  DeleteTask: async () => {
    const [{ taskId }, other] = [await newTask(), await newTask()];
    return { call: `DELETE /v1/tasks/${taskId}`, other: { call: `DELETE /v1/tasks/${other.taskId}` } };
  },
  ShareTask: async () => {
    const call = `POST /v1/tasks/${(await newTask()).taskId}:share`;
    const share = (role: string) => ({ userId: bob.userId, role });
    return { call, body: share("ROLE_VIEWER"), other: { body: share("ROLE_EDITOR") } };
  },
  CreateComment: async () => {
    const call = `POST /v1/tasks/${(await newTask()).taskId}/comments`;
    return { call, body: { text: "hello" }, other: { body: { text: "other" } } };
  },
  CreateReminder: async () => {
    const call = `POST /v1/tasks/${(await newTask()).taskId}/reminders`;
    return { call, body: { at: inDays(1) }, other: { body: { at: inDays(2) } } };
  },
  SnoozeReminder: async () => {
    const { taskId } = await newTask();
    const call = `POST /v1/tasks/${taskId}/reminders/${await newReminder(taskId)}:snooze`;
    return { call, body: { until: inDays(1) }, other: { body: { until: inDays(2) } } };
  },
  DeleteReminder: async () => {
    const { taskId } = await newTask();
    const call = async () => `DELETE /v1/tasks/${taskId}/reminders/${await newReminder(taskId)}`;
    return { call: await call(), other: { call: await call() } };
  },
  CreateLabel: async () => ({ call: "POST /v1/labels", body: { name: newId() }, other: { body: { name: "other" } } }),
  ImportTasks: async () => {
    const content = (title: string) => Buffer.from(`TYPE,CONTENT,PRIORITY\ntask,${title},1\n`).toString("base64");
    const file = (title: string) => ({ format: "FORMAT_TODOIST_CSV", content: content(title) });
    return { call: "POST /v1/tasks:import", body: file(newId()), other: { body: file("other") } };
  },
  UpdateMe: async () => ({
    call: "PATCH /v1/me",
    body: { displayName: newId() },
    other: { body: { displayName: "x" } },
  }),
  MarkRead: async () => {
    const [id, other] = [await newNotification(stack, ada), await newNotification(stack, ada)];
    const call = (notificationId: string) => `POST /v1/notifications/${notificationId}:markRead`;
    return { call: call(id), body: {}, other: { call: call(other) } };
  },
  RaiseAlert: async () => ({
    call: "POST /v1/alerts",
    body: { message: "help", recipientIds: [ada.userId] },
    other: { body: { message: "other", recipientIds: [ada.userId] } },
  }),
  AcknowledgeAlert: async () => {
    const body = { message: "help", recipientIds: [ada.userId] };
    const raise = async () => (await rest(stack, ada, "POST /v1/alerts", { body })).body.alertId;
    const call = (alertId: string) => `POST /v1/alerts/${alertId}:acknowledge`;
    return { call: call(await raise()), body: {}, other: { call: call(await raise()) } };
  },
  CreatePushSubscription: async () => ({
    call: "POST /v1/push-subscriptions",
    body: newPushSubscription(),
    other: { body: newPushSubscription() },
  }),
  DeletePushSubscription: async () => {
    const make = async () =>
      (await rest(stack, ada, "POST /v1/push-subscriptions", { body: newPushSubscription() })).body.pushSubscriptionId;
    const [id, other] = [await make(), await make()];
    const call = (pushSubscriptionId: string) => `DELETE /v1/push-subscriptions/${pushSubscriptionId}`;
    return { call: call(id), other: { call: call(other) } };
  },
  CreateWebhook: async () => ({
    call: "POST /v1/webhooks",
    body: { url: `https://hooks.example.org/${newId()}` },
    other: { body: { url: "https://hooks.example.org/other" } },
  }),
  UpdateWebhook: () => ofWebhook("PATCH", "", { displayName: newId() }),
  DeleteWebhook: () => ofWebhook("DELETE", ""),
  RotateWebhookSecret: () => ofWebhook("POST", ":rotateSecret", {}),
  TestWebhook: () => ofWebhook("POST", ":test", {}),
  ReplayWebhookDeliveries: async () => {
    const { webhookId } = (await newWebhook(stack, ada)).webhook;
    const of = `POST /v1/webhooks/${webhookId}`;
    const test = async () => (await rest(stack, ada, `${of}:test`, { body: {} })).body.webhookDeliveryId;
    const body = { webhookDeliveryId: await test() };
    return { call: `${of}:replay`, body, other: { body: { webhookDeliveryId: await test() } } };
  },
  Register: async () => {
    const body = { email: `${randomUUID()}@example.com`, password, displayName: "Eve" };
    return {
      call: "POST /v1/auth/register",
      body,
      other: { body: { ...body, displayName: "Ève" } },
      headers: anonymous,
    };
  },
  Login: async () => {
    const body = credentials(await stack.person());
    return {
      call: "POST /v1/auth/login",
      body,
      other: { body: { ...body, password: "another one" } },
      headers: anonymous,
    };
  },
  RefreshToken: async () => {
    const signIn = async () => (await rest(stack, ada, "POST /v1/auth/login", { body: credentials(ada) })).body;
    const [{ refreshToken }, other] = [await signIn(), await signIn()];
    return {
      call: "POST /v1/auth/refresh",
      body: { refreshToken },
      other: { body: { refreshToken: other.refreshToken } },
      headers: anonymous,
    };
  },
  CreateApiKey: async () => ({ call: "POST /v1/apiKeys", body: newApiKey("a"), other: { body: newApiKey("b") } }),
  RevokeApiKey: async () => {
    const make = async () =>
      (await rest(stack, ada, "POST /v1/apiKeys", { body: newApiKey("a") })).body.apiKey.apiKeyId;
    const [id, other] = [await make(), await make()];
    return { call: `DELETE /v1/apiKeys/${id}`, other: { call: `DELETE /v1/apiKeys/${other}` } };
  },
};

const methods = [AuthService, UserService, TaskService, NotificationService].flatMap((service) => [...service.methods]);
const transcoder = new Transcoder(methods.filter(({ methodKind }) => methodKind === "unary"));

it("there is an example of every public write", () => {
  const wanted = methods.filter(
    (method) =>
      getOption(method, policy).access !== Access.INTERNAL &&
      method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
  );
  expect([...Object.keys(writes), "Logout"].sort()).toEqual(wanted.map(({ name }) => name).sort());
});

type Call = Pick<Write, "call" | "body" | "headers">;

async function send({ call, body, headers = ada.headers }: Call, extra: Record<string, string> = {}, requestId = "") {
  const [method = "", path = ""] = call.split(" ");
  const { binding } = routeOf(call);
  // Where the body is the resource, or there is none, the field is a parameter of the query.
  const inBody = requestId !== "" && binding.body === "*";
  const response = await fetch(`${stack.edge}${path}${requestId && !inBody ? `?requestId=${requestId}` : ""}`, {
    method,
    headers: { ...headers, ...extra },
    ...(body && { body: JSON.stringify(inBody ? { ...body, requestId } : body) }),
  });
  const { status } = response;
  return { status, replayed: response.headers.get("idempotency-replayed") === "true", text: await response.text() };
}

function routeOf(call: string) {
  const [method = "", path = ""] = call.split(" ");
  const route = transcoder.route(method, path);
  if (route.kind !== "found") throw new Error(`no RPC is at ${call}`);
  return route;
}

/** The same call by another protocol; answers with what REST would have said. */
async function sendBy(protocol: Protocol, { call, body, headers = ada.headers }: Call, key: string) {
  const route = routeOf(call);
  const { method } = route.binding;
  const message = transcoder.decode(route, "", body && Buffer.from(JSON.stringify(body)));
  const sent = { ...("authorization" in headers && { authorization: headers.authorization }), "idempotency-key": key };
  const answer = await transportTo(stack, protocol).unary(
    method as DescMethodUnary,
    undefined,
    undefined,
    sent,
    message,
  );
  return {
    replayed: answer.header.get("idempotency-replayed") === "true",
    text: Buffer.from(transcoder.encode(route.binding, answer.message)).toString(),
  };
}

async function secondsKept(name: string, key: string): Promise<number[]> {
  const { parent } = methods.find((method) => method.name === name) as DescMethodUnary;
  const service = parent.typeName.split(".")[0] as keyof Stack["sql"];
  const { rows } = await stack.sql[service].query(
    "SELECT extract(epoch FROM expire_time - now())::float8 AS left FROM idempotency_key WHERE key = $1",
    [key],
  );
  return rows.map(({ left }) => left);
}

describe.each(Object.keys(writes))("[task.16] %s with a key", (name) => {
  const key = newId();
  let write: Write;
  let first: string;
  beforeAll(async () => {
    write = await (writes[name] as () => Promise<Write>)();
  });

  it("is done once, however many calls come at once; the others get its answer or are asked to wait", async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(write, { "idempotency-key": key })));
    const done = answers.filter(({ status }) => status === 200);
    for (const { status, text } of answers) {
      if (status !== 200) expect([status, JSON.parse(text).reason]).toEqual([409, "IDEMPOTENCY_KEY_IN_FLIGHT"]);
    }
    expect(done.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(done.map(({ text }) => text)).size).toBe(1);
    first = done[0]?.text ?? "";
  });

  it("is answered with the same bytes for 24 hours, by the header and by the field", async () => {
    expect(await send(write, { "idempotency-key": key })).toEqual({ status: 200, replayed: true, text: first });
    expect(await send(write, {}, key)).toEqual({ status: 200, replayed: true, text: first });
    expect(await send(write, { "idempotency-key": key }, key)).toEqual({ status: 200, replayed: true, text: first });
    const [kept = 0, ...more] = await secondsKept(name, key);
    expect(more).toEqual([]);
    expect(kept / 3600).toBeCloseTo(24, 1);
  });

  it.each(protocols)("is answered alike by %s", async (protocol) => {
    expect(await sendBy(protocol, write, key)).toEqual({ replayed: true, text: first });
  });

  it("is refused for another request, and when the field says another key", async () => {
    const other = await send({ ...write, ...write.other }, { "idempotency-key": key });
    expect([other.status, JSON.parse(other.text).reason]).toEqual([422, "IDEMPOTENCY_KEY_REUSED"]);
    const byField = await send({ ...write, ...write.other }, {}, key);
    expect([byField.status, JSON.parse(byField.text).reason]).toEqual([422, "IDEMPOTENCY_KEY_REUSED"]);
    const both = await send(write, { "idempotency-key": key }, newId());
    expect([both.status, JSON.parse(both.text).fieldViolations]).toMatchObject([400, [{ field: "requestId" }]]);
    const none = await send(write, {}, "no-uuid");
    expect([none.status, JSON.parse(none.text).fieldViolations]).toMatchObject([400, [{ field: "requestId" }]]);
  });
});

it("[task.16] Logout with a key is done once; the edge takes no more calls of the session, its service tells the same", async () => {
  const { headers } = await stack.person();
  const key = newId();
  const logout = { call: "POST /v1/auth/logout", body: {}, headers };
  expect(await send(logout, { "idempotency-key": key })).toEqual({ status: 200, replayed: false, text: "{}" });
  await until("the session to be over", async () => (await send(logout, { "idempotency-key": key })).status === 401);

  const channel = new MeshChannel(stack.mesh);
  const client = createClient(AuthService, channel, { identity: await stack.identity("gateway") });
  const repeat = async (request: { requestId?: string }, extra: Record<string, string>) => {
    let replayed: string | undefined;
    const onHeader = (answered: Record<string, string>) => {
      replayed = answered["idempotency-replayed"];
    };
    await client.logout(request, { headers: { authorization: headers.authorization ?? "", ...extra }, onHeader });
    return replayed;
  };
  try {
    expect(await repeat({}, { "idempotency-key": key })).toBe("true");
    expect(await repeat({ requestId: key }, {})).toBe("true");
    expect(await repeat({ requestId: newId() }, {})).toBeUndefined();
    const otherMethod = client.createApiKey(
      { name: "a", scopes: ["tasks:read"], requestId: key },
      { headers: { authorization: headers.authorization ?? "" } },
    );
    await expect(otherMethod).rejects.toMatchObject({ reason: ErrorReason.IDEMPOTENCY_KEY_REUSED });
  } finally {
    channel.close();
  }
});
