import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { failure, newNotification, newWebhook, protocols, rest, taskClient, transportTo } from "./calls.ts";
import { type Person, type Stack, startStack } from "./stack.ts";

interface Change {
  call: string;
  body?: unknown;
  /** What REST clients call the field that is missing. */
  field: string;
  etag: string;
}

/** One of each change, on resources of their own. */
async function changes(stack: Stack, person: Person, friend: Person): Promise<Record<string, Change>> {
  const task = async () => (await rest(stack, person, "POST /v1/tasks", { body: { title: "a" } })).body;
  const me = (await rest(stack, person, "GET /v1/me")).body;
  const [updated, completed, shared, deleted] = [await task(), await task(), await task(), await task()];
  const read = await newNotification(stack, person);
  const { notifications } = (await rest(stack, person, "GET /v1/notifications")).body;
  const [changedHook, deletedHook] = [await newWebhook(stack, person), await newWebhook(stack, person)].map(
    (made) => made.webhook,
  );
  const share = { userId: friend.userId, role: "ROLE_EDITOR" };
  return {
    UpdateTask: { call: `PATCH /v1/tasks/${updated.taskId}`, body: { title: "b" }, field: "etag", etag: updated.etag },
    CompleteTask: {
      call: `POST /v1/tasks/${completed.taskId}:complete`,
      body: {},
      field: "etag",
      etag: completed.etag,
    },
    ShareTask: { call: `POST /v1/tasks/${shared.taskId}:share`, body: share, field: "etag", etag: shared.etag },
    DeleteTask: { call: `DELETE /v1/tasks/${deleted.taskId}`, field: "etag", etag: deleted.etag },
    UpdateMe: { call: "PATCH /v1/me", body: { displayName: "Lady" }, field: "etag", etag: me.etag },
    UpdateWebhook: {
      call: `PATCH /v1/webhooks/${changedHook.webhookId}`,
      body: { displayName: "mine" },
      field: "etag",
      etag: changedHook.etag,
    },
    DeleteWebhook: { call: `DELETE /v1/webhooks/${deletedHook.webhookId}`, field: "etag", etag: deletedHook.etag },
    MarkRead: { call: `POST /v1/notifications/${read}:markRead`, body: {}, field: "etag", etag: notifications[0].etag },
  };
}

describe.each(["required", "advisory"] as const)("[task.17] in the mode %s", (mode) => {
  let stack: Stack;
  let ada: Person;
  let all: Record<string, Change>;
  beforeAll(async () => {
    stack = await startStack({ env: { ETAG_MODE: mode } });
    ada = await stack.person();
    all = await changes(stack, ada, await stack.person());
  });
  afterAll(() => stack.close());

  const names = [
    "UpdateTask",
    "CompleteTask",
    "ShareTask",
    "DeleteTask",
    "UpdateMe",
    "MarkRead",
    "UpdateWebhook",
    "DeleteWebhook",
  ];
  const change = (name: string, headers?: Record<string, string>) => {
    const { call, body } = all[name] as Change;
    return rest(stack, ada, call, { body, ...(headers && { headers }) });
  };

  it.each(names)("%s of a stale version is refused, and without one only where it is required", async (name) => {
    expect((await change(name, { "if-match": '"stale"' })).status).toBe(412);
    const blind = await change(name);
    if (mode === "advisory") expect(blind.status).toBe(200);
    else {
      const { field, etag } = all[name] as Change;
      expect(blind).toMatchObject({
        status: 428,
        body: {
          title: "Precondition Required",
          code: "FAILED_PRECONDITION",
          reason: "ETAG_REQUIRED",
          fieldViolations: [{ field, description: expect.stringContaining("etag") }],
        },
      });
      expect((await change(name, { "if-match": `"${etag}"` })).status).toBe(200);
    }
  });

  it("takes a change of any version when it says so, and the field as well as the header", async () => {
    const { body: task } = await rest(stack, ada, "POST /v1/tasks", { body: { title: "a" } });
    const path = `/v1/tasks/${task.taskId}`;
    const any = await rest(stack, ada, `PATCH ${path}`, { body: { title: "b" }, headers: { "if-match": "*" } });
    expect(any.status).toBe(200);
    const field = await rest(stack, ada, `PATCH ${path}`, { body: { title: "c", etag: any.body.etag } });
    expect(field).toMatchObject({ status: 200, body: { title: "c" } });
    const query = await rest(stack, ada, `DELETE ${path}?etag=${field.body.etag}`);
    expect(query.status).toBe(200);
  });

  it.each(protocols)("by %s is the same", async (protocol) => {
    const { authorization = "" } = ada.headers;
    const client = taskClient(stack, protocol);
    const { task } = await client.createTask({ task: { title: "a" } }, { headers: { authorization } });
    const update = (headers: Record<string, string>, etag = "") =>
      client.updateTask(
        { task: { taskId: task?.taskId ?? "", title: "b", etag } },
        { headers: { authorization, ...headers } },
      );
    if (mode === "advisory") expect((await update({})).task?.revision).toBe(2n);
    else expect(await failure(update({}))).toMatchObject({ code: "FAILED_PRECONDITION", reason: "ETAG_REQUIRED" });
    expect(await failure(update({}, "stale"))).toMatchObject({ code: "ABORTED", reason: "ETAG_MISMATCH" });
    expect((await update({ "if-match": "*" })).task?.title).toBe("b");
  });

  it("asks nothing of what makes something new, or reads", async () => {
    const client = createClient(TaskService, transportTo(stack, "gRPC"));
    const { authorization = "" } = ada.headers;
    const { task } = await client.createTask({ task: { title: "new" } }, { headers: { authorization } });
    const { taskId = "" } = task ?? {};
    await client.createComment({ taskId, text: "new" }, { headers: { authorization } });
    expect((await client.getTask({ taskId }, { headers: { authorization } })).task?.title).toBe("new");
  });
});
