import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Role, Status } from "#gen/task/v1/task_pb.js";
import { Code } from "#kit/errors.ts";
import type { CallOptions } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { type Caller, refusal, startStage, type TaskStage, wrongFields } from "./service.ts";

let stage: TaskStage;
let ada: Caller;
beforeAll(async () => {
  stage = await startStage("task access");
  ada = stage.person("Ada");
});
afterAll(() => stage.close());

async function create(title: string) {
  const { task } = await ada.client.createTask({ task: { title } }, ada.as());
  return task?.taskId ?? "";
}

function share(taskId: string, userId: string, role: Role, caller = ada) {
  return caller.client.shareTask({ taskId, userId, role }, caller.as());
}

const tomorrow = () => timestampFromDate(new Date(Date.now() + 86_400_000));

/** Every call that names a task. */
const calls: Record<string, (client: Caller["client"], taskId: string, options: CallOptions) => Promise<unknown>> = {
  getTask: (client, taskId, options) => client.getTask({ taskId }, options),
  listCollaborators: (client, taskId, options) => client.listCollaborators({ taskId }, options),
  listComments: (client, taskId, options) => client.listComments({ taskId }, options),
  listTaskActivity: (client, taskId, options) => client.listTaskActivity({ taskId }, options),
  createComment: (client, taskId, options) => client.createComment({ taskId, text: "x" }, options),
  createReminder: (client, taskId, options) => client.createReminder({ taskId, at: tomorrow() }, options),
  listReminders: (client, taskId, options) => client.listReminders({ taskId }, options),
  snoozeReminder: (client, taskId, options) =>
    client.snoozeReminder({ taskId, reminderId: newId(), until: tomorrow() }, options),
  deleteReminder: (client, taskId, options) => client.deleteReminder({ taskId, reminderId: newId() }, options),
  updateTask: (client, taskId, options) => client.updateTask({ task: { taskId, title: newId() } }, options),
  updateParent: (client, taskId, options) => client.updateTask({ task: { taskId, parentTaskId: newId() } }, options),
  updateAssignees: (client, taskId, options) =>
    client.updateTask({ task: { taskId, assigneeIds: [newId()] } }, options),
  completeTask: (client, taskId, options) => client.completeTask({ taskId }, options),
  shareTask: (client, taskId, options) =>
    client.shareTask({ taskId, email: "nobody@example.com", role: Role.VIEWER }, options),
  deleteTask: (client, taskId, options) => client.deleteTask({ taskId }, options),
};

describe.each(Object.keys(calls))("%s", (name) => {
  const call = calls[name] ?? (() => Promise.reject(new Error(name)));

  it("answers alike for somebody else's task and for one that is not there", async () => {
    const eve = stage.person("Eve");
    const taskId = await create("Ada's own");
    const foreign = await refusal(call(eve.client, taskId, eve.as()));
    const absent = await refusal(call(eve.client, newId(), eve.as()));
    const { code, reason, message, metadata, fieldViolations } = absent;
    expect(foreign).toMatchObject({ code: Code.NOT_FOUND, reason: ErrorReason.TASK_NOT_FOUND });
    expect(foreign).toMatchObject({ code, reason, message, metadata, fieldViolations });
    expect(await stage.events(taskId)).toHaveLength(1);
  });

  it("asks for a token", async () => {
    expect(await refusal(call(ada.client, await create("x"), {}))).toMatchObject({ code: Code.UNAUTHENTICATED });
  });
});

it.each<[keyof typeof Role, string[]]>([
  ["VIEWER", ["getTask", "listCollaborators", "listComments", "listTaskActivity"]],
  ["COMMENTER", ["getTask", "listCollaborators", "listComments", "listTaskActivity", "createComment"]],
  [
    "EDITOR",
    ["getTask", "listCollaborators", "listComments", "listTaskActivity", "createComment", "updateTask", "completeTask"],
  ],
])("a %s may do what the role says and nothing more", async (roleName, allowed) => {
  const bob = stage.person("Bob");
  const names = [
    "getTask",
    "listCollaborators",
    "listComments",
    "listTaskActivity",
    "createComment",
    "updateTask",
    "completeTask",
    "shareTask",
    "deleteTask",
  ];
  const may: string[] = [];
  for (const name of names) {
    const taskId = await create("shared");
    await share(taskId, bob.userId, Role[roleName]);
    const [outcome] = await Promise.allSettled([calls[name]?.(bob.client, taskId, bob.as())]);
    if (outcome?.status === "fulfilled") may.push(name);
    else expect([name, outcome?.reason.code]).toEqual([name, Code.PERMISSION_DENIED]);
  }
  expect(may).toEqual(allowed);
});

it("lets nobody but collaborators see a task in a list, whatever the filter", async () => {
  const bob = stage.person("Bob");
  const taskId = await create("hidden");
  const { task } = await bob.client.createTask({ task: { title: "own" } }, bob.as());
  const filters = ["", "status = STATUS_OPEN", 'status = STATUS_OPEN OR title = "*"', 'title = "x" OR NOT title = "x"'];
  for (const filter of filters) {
    const { tasks } = await bob.client.listTasks({ filter }, bob.as());
    expect(tasks).toEqual([task]);
  }
  await share(taskId, bob.userId, Role.VIEWER);
  expect((await bob.client.listTasks({}, bob.as())).tasks.map(({ title }) => title)).toEqual(["own", "hidden"]);
});

describe("ShareTask", () => {
  it("finds people by address and by id, and tells of it", async () => {
    const [bob, eve] = [stage.person("Bob"), stage.person("Eve")];
    const taskId = await create("shared");
    const byEmail = await ada.client.shareTask({ taskId, email: bob.email, role: Role.EDITOR }, ada.as());
    expect(byEmail.collaborator).toMatchObject({ userId: bob.userId, displayName: "Bob", role: Role.EDITOR });
    const byId = await share(taskId, eve.userId.toUpperCase(), Role.VIEWER);
    expect(byId.collaborator).toMatchObject({ userId: eve.userId, displayName: "Eve", role: Role.VIEWER });

    const { collaborators } = await eve.client.listCollaborators({ taskId }, eve.as());
    expect(collaborators.map(({ displayName, role }) => [displayName, role])).toEqual([
      ["Ada", Role.OWNER],
      ["Bob", Role.EDITOR],
      ["Eve", Role.VIEWER],
    ]);
    expect(
      (await stage.events(taskId)).map(({ sequence, memberIds, fact }) => [sequence, memberIds, fact]),
    ).toMatchObject([
      [1n, [ada.userId], { case: "taskCreated" }],
      [
        2n,
        [ada.userId, bob.userId],
        { case: "taskShared", value: { userId: bob.userId, role: Role.EDITOR, roleChanged: false } },
      ],
      [3n, [ada.userId, bob.userId, eve.userId], { case: "taskShared", value: { userId: eve.userId } }],
    ]);
  });

  it("changes a role, and does nothing when it is the same", async () => {
    const bob = stage.person("Bob");
    const taskId = await create("shared");
    const first = await share(taskId, bob.userId, Role.EDITOR);
    expect(await share(taskId, bob.userId, Role.EDITOR)).toEqual(first);
    const lowered = await share(taskId, bob.userId, Role.VIEWER);
    expect(lowered.collaborator).toMatchObject({ role: Role.VIEWER, createTime: first.collaborator?.createTime });
    const events = await stage.events(taskId);
    expect(events).toHaveLength(3);
    expect(events[2]?.fact).toMatchObject({ value: { role: Role.VIEWER, roleChanged: true } });
    expect(await refusal(bob.client.updateTask({ task: { taskId, title: "y" } }, bob.as()))).toMatchObject({
      code: Code.PERMISSION_DENIED,
    });
  });

  it("leaves the task itself as it was", async () => {
    const bob = stage.person("Bob");
    const taskId = await create("shared");
    const before = await ada.client.getTask({ taskId }, ada.as());
    await share(taskId, bob.userId, Role.EDITOR);
    expect(await ada.client.getTask({ taskId }, ada.as())).toEqual(before);
  });

  it("refuses whom it cannot be shared with", async () => {
    const taskId = await create("shared");
    const call = (request: { email?: string; userId?: string; role?: Role }) =>
      ada.client.shareTask({ taskId, role: Role.VIEWER, ...request }, ada.as());
    expect(await wrongFields(call({}))).toEqual(["user_id"]);
    expect(await wrongFields(call({ email: ada.email, userId: ada.userId }))).toEqual(["user_id"]);
    expect(await wrongFields(call({ userId: ada.userId }))).toEqual(["user_id"]);
    expect(await wrongFields(call({ email: ada.email }))).toEqual(["email"]);
    expect(await wrongFields(call({ email: "no address" }))).toEqual(["email"]);
    expect(await wrongFields(call({ userId: newId(), role: Role.OWNER }))).toEqual(["role"]);
    expect(await wrongFields(call({ userId: newId(), role: Role.UNSPECIFIED }))).toEqual(["role"]);
    const nobody = { code: Code.NOT_FOUND, reason: ErrorReason.USER_NOT_FOUND };
    expect(await refusal(call({ userId: newId() }))).toMatchObject(nobody);
    expect(await refusal(call({ email: "nobody@example.com" }))).toMatchObject(nobody);
  });

  it("looks nobody up for a caller who may not share", async () => {
    const bob = stage.person("Bob");
    const taskId = await create("shared");
    await share(taskId, bob.userId, Role.EDITOR);
    const before = stage.userCalls.length;
    const error = await refusal(bob.client.shareTask({ taskId, email: ada.email, role: Role.VIEWER }, bob.as()));
    expect(error.code).toBe(Code.PERMISSION_DENIED);
    expect(stage.userCalls).toHaveLength(before);
  });

  it("stops at 200 people", async () => {
    const taskId = await create("crowded");
    await stage.sql.query(
      `INSERT INTO collaborator SELECT $1, gen_random_uuid(), 1, now(), now() FROM generate_series(1, 199)`,
      [taskId],
    );
    const error = await refusal(share(taskId, stage.person("Bob").userId, Role.VIEWER));
    expect(error).toMatchObject({ code: Code.FAILED_PRECONDITION, reason: ErrorReason.LIMIT_REACHED });
  });
});

it("keeps labels apart by person", async () => {
  const [bob, eve] = [stage.person("Bob"), stage.person("Eve")];
  const first = await bob.client.createLabel({ name: " Errands " }, bob.as());
  expect(first.label).toMatchObject({ name: "Errands" });
  expect(await bob.client.createLabel({ name: "ERRANDS" }, bob.as())).toEqual(first);
  const other = await eve.client.createLabel({ name: "errands" }, eve.as());
  expect(other.label?.labelId).not.toBe(first.label?.labelId);
  await bob.client.createLabel({ name: "calls" }, bob.as());
  const { labels } = await bob.client.listLabels({}, bob.as());
  expect(labels.map(({ name }) => name)).toEqual(["calls", "Errands"]);
  expect(await wrongFields(bob.client.createLabel({ name: "  " }, bob.as()))).toEqual(["name"]);
  expect(await wrongFields(bob.client.createLabel({ name: "x".repeat(101) }, bob.as()))).toEqual(["name"]);
  const both = await Promise.all(Array.from({ length: 10 }, () => eve.client.createLabel({ name: "New" }, eve.as())));
  expect(new Set(both.map(({ label }) => label?.labelId)).size).toBe(1);
});

describe("comments", () => {
  it("are listed oldest first, page by page, and told of", async () => {
    const taskId = await create("discussed");
    const texts = ["one", "two", "three 🙂".padEnd(300, "."), "four", "five"];
    for (const text of texts) await ada.client.createComment({ taskId, text }, ada.as());
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await ada.client.listComments({ taskId, pageSize: 2, pageToken }, ada.as());
      seen.push(...page.comments.map(({ text }) => text));
      expect(page.comments.every(({ authorId }) => authorId === ada.userId)).toBe(true);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(texts);
    const added = (await stage.events(taskId)).slice(1);
    expect(added.map(({ sequence }) => sequence)).toEqual([2n, 3n, 4n, 5n, 6n]);
    expect(added[2]?.fact).toMatchObject({
      case: "commentAdded",
      value: { excerpt: texts[2]?.slice(0, 201), automatic: false },
    });
  });

  it("need a text, and a token of their own list", async () => {
    const [taskId, otherId] = [await create("a"), await create("b")];
    expect(await wrongFields(ada.client.createComment({ taskId, text: "" }, ada.as()))).toEqual(["text"]);
    expect(await wrongFields(ada.client.createComment({ taskId, text: " \n " }, ada.as()))).toEqual(["text"]);
    expect(await wrongFields(ada.client.createComment({ taskId, text: "x".repeat(10_001) }, ada.as()))).toEqual([
      "text",
    ]);
    await ada.client.createComment({ taskId, text: "1" }, ada.as());
    await ada.client.createComment({ taskId, text: "2" }, ada.as());
    const { nextPageToken: pageToken } = await ada.client.listComments({ taskId, pageSize: 1 }, ada.as());
    expect(await wrongFields(ada.client.listComments({ taskId: otherId, pageToken }, ada.as()))).toEqual([
      "page_token",
    ]);
  });

  it("can be made on a task that is done", async () => {
    const taskId = await create("done");
    await ada.client.updateTask({ task: { taskId, status: Status.DONE } }, ada.as());
    await ada.client.createComment({ taskId, text: "well done" }, ada.as());
    expect((await ada.client.listComments({ taskId }, ada.as())).comments).toHaveLength(1);
  });
});

describe("who takes part in a task with somebody", () => {
  it("is told to the notification service alone: the owner, a guest, no stranger, and nobody once the task is deleted", async () => {
    const [bob, cleo, stranger] = [stage.person("Bob"), stage.person("Cleo"), stage.person("Dan")];
    const taskId = await create("ours");
    await share(taskId, bob.userId, Role.VIEWER);
    await share(taskId, cleo.userId, Role.VIEWER);
    const peersOf = async (userId: string, ...others: { userId: string }[]) =>
      (await stage.notification.findTaskPeers({ userId, peerIds: others.map((other) => other.userId) })).peerIds.sort();
    expect(await peersOf(bob.userId, ada, cleo, stranger)).toEqual([ada.userId, cleo.userId].sort());
    expect(await peersOf(stranger.userId, ada, bob)).toEqual([]);
    expect(await peersOf(newId(), ada)).toEqual([]);
    await ada.client.deleteTask({ taskId }, ada.as());
    expect(await peersOf(bob.userId, cleo)).toEqual([]);
    await expect(ada.client.findTaskPeers({ userId: bob.userId, peerIds: [] }, ada.as())).rejects.toMatchObject({
      code: Code.PERMISSION_DENIED,
    });
  });
});
