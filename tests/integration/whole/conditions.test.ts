import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from "vitest";
import { Access } from "#gen/mesh/v1/options_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { Task } from "#gen/task/v1/task_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { policyOf } from "#kit/grpc/policy.ts";
import { etagPlace } from "#kit/grpc/precondition.ts";
import { newId } from "#kit/id.ts";
import {
  failure,
  newNotification,
  newWebhook,
  type Protocol,
  protocols,
  type Reply,
  rest,
  taskClient,
  transportTo,
} from "./calls.ts";
import { type Person, type Stack, startStack } from "./stack.ts";

let stack: Stack;
let ada: Person;
let bob: Person;
beforeAll(async () => {
  stack = await startStack();
  ada = await stack.person();
  bob = await stack.person();
});
afterAll(() => stack.close());

type TaskJson = Pick<Task, "taskId" | "etag" | "title">;

/** A task of the second revision, and the etag of the first. */
async function changedTask(): Promise<TaskJson & { stale: string }> {
  const { body: first } = await rest(stack, ada, "POST /v1/tasks", { body: { title: "first" } });
  const { body } = await rest(stack, ada, `PATCH /v1/tasks/${first.taskId}`, { body: { title: "second" } });
  return { ...body, stale: first.etag };
}

let task: Awaited<ReturnType<typeof changedTask>>;
beforeEach(async () => {
  task = await changedTask();
});

/** A condition in words, "now" and "old" being the tags of the current and of an older version. */
const inTags = (condition: string) =>
  condition.replaceAll("now", `"${task.etag}"`).replaceAll("old", `"${task.stale}"`);

describe("[edge.06] a read", () => {
  const read = (method: string, headers: Record<string, string> = {}) =>
    rest(stack, ada, `${method} /v1/tasks/${task.taskId}`, { headers });

  test.each(["GET", "HEAD"])("by %s says which version it is", async (method) => {
    const { status, headers } = await read(method);
    expect([status, headers.get("etag")]).toEqual([200, `"${task.etag}"`]);
  });

  test.each([
    ["now", 304],
    ["W/now", 304],
    ["*", 304],
    ["old, now", 304],
    ['W/old , "a,b",W/now', 304],
    ["old", 200],
    ["W/old", 200],
    ["garbage", 200],
  ])("with If-None-Match: %s is answered %i, by GET and HEAD", async (condition, status) => {
    for (const method of ["GET", "HEAD"]) {
      const reply = await read(method, { "if-none-match": inTags(condition) });
      expect([method, reply.status, reply.headers.get("etag")]).toEqual([method, status, `"${task.etag}"`]);
      expect(reply.body === undefined).toBe(status === 304 || method === "HEAD");
    }
  });

  test.each([
    ["now", 200],
    ["old, now", 200],
    ["*", 200],
    ["old", 412],
    ["W/now", 412],
  ])("with If-Match: %s is answered %i", async (condition, status) => {
    expect((await read("GET", { "if-match": inTags(condition) })).status).toBe(status);
    expect((await read("HEAD", { "if-match": inTags(condition) })).status).toBe(status);
  });
});

describe("[edge.06] a change", () => {
  const change = (headers: Record<string, string>) =>
    rest(stack, ada, `PATCH /v1/tasks/${task.taskId}`, { body: { title: "third" }, headers });

  const conditions: [name: string, condition: string, holds: boolean][] = [
    ["if-match", "now", true],
    ["if-match", "old, now", true],
    ["if-match", "*", true],
    ["if-match", "old", false],
    ["if-match", 'old, "a,b"', false],
    ["if-match", "W/now", false],
    ["if-match", "W/old, W/now", false],
    ["if-none-match", "old", true],
    ["if-none-match", "*", false],
    ["if-none-match", "now", false],
    ["if-none-match", "old, W/now", false],
  ];

  test.each(conditions)("by REST with %s: %s goes through: %s", async (name, condition, holds) => {
    const reply = await change({ [name]: inTags(condition) });
    if (holds)
      expect([reply.status, reply.body.revision, reply.headers.get("etag")]).toEqual([
        200,
        "3",
        `"${reply.body.etag}"`,
      ]);
    else expectMismatch(reply);
    const { body } = await rest(stack, ada, `GET /v1/tasks/${task.taskId}`);
    expect(body.title).toBe(holds ? "third" : "second");
  });

  test.each(["now now", "bare", "old; now", "W/bare"])(
    "with a malformed condition changes nothing: %s",
    async (condition) => {
      for (const name of ["if-match", "if-none-match"]) {
        const { status, body } = await change({ [name]: inTags(condition) });
        expect([status, body.fieldViolations.map(({ field }: { field: string }) => field)]).toEqual([400, [name]]);
      }
    },
  );

  describe.each(protocols)("by %s", (protocol) => {
    test.each(conditions)("with %s: %s goes through: %s", async (name, condition, holds) => {
      const call = taskClient(stack, protocol).updateTask(
        { task: { taskId: task.taskId, title: "third" } },
        { headers: { ...authorization(ada), [name]: inTags(condition) } },
      );
      if (holds) expect((await call).task?.revision).toBe(3n);
      else expect(await failure(call)).toEqual(mismatch());
    });

    test("with the etag as a field", async () => {
      const client = taskClient(stack, protocol);
      const update = (etag: string) =>
        client.updateTask({ task: { taskId: task.taskId, title: "third", etag } }, { headers: authorization(ada) });
      expect(await failure(update(task.stale))).toEqual(mismatch());
      expect((await update(task.etag)).task?.revision).toBe(3n);
    });
  });
});

const authorization = ({ headers: { authorization = "" } }: Person) => ({ authorization });
const mismatch = () => ({
  code: "ABORTED",
  reason: "ETAG_MISMATCH",
  metadata: { current_etag: task.etag, current_revision: "2" },
});

function expectMismatch({ status, body }: Reply, metadata: Record<string, string> = mismatch().metadata): void {
  expect(status).toBe(412);
  expect(body).toMatchObject({ code: "ABORTED", reason: "ETAG_MISMATCH", metadata });
}

describe("[pain.07] every write on something that exists", () => {
  interface Write {
    call: string;
    body?: unknown;
    /** By its descriptor, with a field for the etag. */
    rpc(protocol: Protocol, etag: string): Promise<unknown>;
  }
  const writes: Record<string, () => Promise<Write & { stale: string; current: Record<string, string> }>> = {
    UpdateTask: async () =>
      ofTask({ call: `PATCH /v1/tasks/${task.taskId}`, body: { title: "x" } }, (client, id, etag) =>
        client.updateTask({ task: { taskId: id, title: "x", etag } }, as),
      ),
    CompleteTask: async () =>
      ofTask({ call: `POST /v1/tasks/${task.taskId}:complete`, body: {} }, (client, taskId, etag) =>
        client.completeTask({ taskId, etag }, as),
      ),
    ShareTask: async () => {
      const share = { userId: bob.userId, role: "ROLE_VIEWER" };
      return ofTask({ call: `POST /v1/tasks/${task.taskId}:share`, body: share }, (client, taskId, etag) =>
        client.shareTask({ taskId, etag, userId: bob.userId, role: 1 }, as),
      );
    },
    DeleteTask: async () =>
      ofTask({ call: `DELETE /v1/tasks/${task.taskId}` }, (client, taskId, etag) =>
        client.deleteTask({ taskId, etag }, as),
      ),
    UpdateMe: async () => {
      const { body: first } = await rest(stack, ada, "GET /v1/me");
      const displayName = `Ada ${newId()}`;
      const { body: second } = await rest(stack, ada, "PATCH /v1/me", { body: { displayName } });
      return {
        call: "PATCH /v1/me",
        body: { displayName: "Lady" },
        rpc: (protocol, etag) =>
          createClient(UserService, transportTo(stack, protocol)).updateMe({ user: { displayName: "Lady", etag } }, as),
        stale: first.etag,
        current: { current_etag: second.etag, current_revision: second.etag.slice(1) },
      };
    },
    UpdateWebhook: async () => {
      const { webhookId, etag: stale } = (await newWebhook(stack, ada)).webhook;
      const call = `PATCH /v1/webhooks/${webhookId}`;
      const { body: second } = await rest(stack, ada, call, { body: { displayName: "second" } });
      return {
        call,
        body: { displayName: "third" },
        rpc: (protocol, etag) =>
          createClient(NotificationService, transportTo(stack, protocol)).updateWebhook(
            { webhook: { webhookId, displayName: "third", etag } },
            as,
          ),
        stale,
        current: { current_etag: second.etag },
      };
    },
    DeleteWebhook: async () => {
      const { webhookId, etag: stale } = (await newWebhook(stack, ada)).webhook;
      const call = `/v1/webhooks/${webhookId}`;
      const { body: second } = await rest(stack, ada, `PATCH ${call}`, { body: { displayName: "second" } });
      return {
        call: `DELETE ${call}`,
        rpc: (protocol, etag) =>
          createClient(NotificationService, transportTo(stack, protocol)).deleteWebhook({ webhookId, etag }, as),
        stale,
        current: { current_etag: second.etag },
      };
    },
    MarkRead: async () => {
      const notificationId = await newNotification(stack, ada);
      const call = `POST /v1/notifications/${notificationId}:markRead`;
      const list = await rest(stack, ada, "GET /v1/notifications");
      const seen = list.body.notifications.find(
        (entry: { notificationId: string }) => entry.notificationId === notificationId,
      );
      const { body: read } = await rest(stack, ada, call, { body: {}, headers: { "if-match": `"${seen.etag}"` } });
      return {
        call,
        body: {},
        rpc: (protocol, etag) =>
          createClient(NotificationService, transportTo(stack, protocol)).markRead({ notificationId, etag }, as),
        stale: seen.etag,
        current: { current_etag: read.etag },
      };
    },
  };
  let as: { headers: { authorization: string } };
  beforeAll(() => {
    as = { headers: authorization(ada) };
  });

  function ofTask(
    how: Pick<Write, "call" | "body">,
    rpc: (client: ReturnType<typeof taskClient>, taskId: string, etag: string) => Promise<unknown>,
  ) {
    const { taskId, stale } = task;
    return {
      ...how,
      rpc: (protocol: Protocol, etag: string) => rpc(taskClient(stack, protocol), taskId, etag),
      stale,
      current: mismatch().metadata,
    };
  }

  it("takes an etag: whatever takes none makes something new, is said once and for all, or is its own only state", () => {
    const all = [TaskService, UserService, NotificationService].flatMap(({ methods }) => [...methods]);
    const ofPeople = all.filter((method) => policyOf(method)?.access !== Access.INTERNAL);
    const changes = ofPeople.filter(
      ({ idempotency, name }) =>
        idempotency !== 1 &&
        !/^(Create|Import|Raise|Acknowledge|Snooze|Rotate|Test|Replay|Delete(PushSubscription|Reminder))/.test(name),
    );
    expect(changes.map(({ name }) => name).sort()).toEqual(Object.keys(writes).sort());
    for (const method of changes) expect(etagPlace(method).at(-1)?.name).toBe("etag");
  });

  it.each(Object.keys(writes))("%s of an older version is 412 or ABORTED, and tells the current one", async (name) => {
    const { call, body, rpc, stale, current } = await (writes[name] as (typeof writes)[string])();
    expectMismatch(await rest(stack, ada, call, { body, headers: { "if-match": `"${stale}"` } }), current);
    for (const protocol of protocols) {
      expect(await failure(rpc(protocol, stale))).toEqual({
        code: "ABORTED",
        reason: "ETAG_MISMATCH",
        metadata: current,
      });
    }
    const headers = { "if-match": `"${current.current_etag}"` };
    expect((await rest(stack, ada, call, { body, headers })).status).toBe(200);
  });

  it("changes only what the mask names", async () => {
    const due = { date: "2026-12-24" };
    const path = `/v1/tasks/${task.taskId}`;
    await rest(stack, ada, `PATCH ${path}`, { body: { due, priority: 3 } });
    const { body } = await rest(stack, ada, `PATCH ${path}?updateMask=title,priority`, {
      body: { title: "masked", description: "not in the mask", due: { date: "2026-01-01" } },
    });
    expect(body).toMatchObject({ title: "masked", priority: 0, description: "", due });
  });
});
