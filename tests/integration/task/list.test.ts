import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Role, Status, type Task } from "#gen/task/v1/task_pb.js";
import { newId } from "#kit/id.ts";
import { type Caller, startStage, type TaskStage, wrongFields } from "./service.ts";

let stage: TaskStage;
let ada: Caller;
beforeAll(async () => {
  stage = await startStage("task list");
  ada = stage.person("Ada");
});
afterAll(() => stage.close());

type TaskInit = NonNullable<Parameters<Caller["client"]["createTask"]>[0]["task"]>;

async function create(caller: Caller, task: TaskInit): Promise<Task> {
  return (await caller.client.createTask({ task }, caller.as())).task as Task;
}

interface Query {
  filter?: string;
  orderBy?: string;
  pageSize?: number;
}

/** All pages, with something that happens between them. */
async function listAll(
  caller: Caller,
  query: Query,
  between: () => Promise<unknown> = async () => {},
): Promise<Task[]> {
  const all: Task[] = [];
  let pageToken = "";
  do {
    const page = await caller.client.listTasks({ ...query, pageToken }, caller.as());
    all.push(...page.tasks);
    pageToken = page.nextPageToken;
    if (all.length > 10_000) throw new Error("the pages do not end");
    await between();
  } while (pageToken !== "");
  return all;
}

describe("a filter", () => {
  const titles = async (filter: string) => (await listAll(ada, { filter })).map(({ title }) => title).sort();
  let labelId: string;
  let parent: Task;
  const bob = () => stage.person("Bob");
  beforeAll(async () => {
    labelId = (await ada.client.createLabel({ name: "Home" }, ada.as())).label?.labelId ?? "";
    parent = await create(ada, { title: "parent", priority: 4 });
    await create(ada, { title: "day", due: { date: "2026-11-30" }, priority: 1 });
    await create(ada, { title: "floating", due: { dateTime: "2026-11-30T23:00:00" }, priority: 2 });
    await create(ada, {
      title: "zoned",
      due: { dateTime: "2026-12-01T00:30:00", timeZone: "Europe/Berlin" },
      priority: 3,
    });
    await create(ada, { title: "child", parentTaskId: parent.taskId, labelIds: [labelId] });
    await create(ada, { title: "Assigned 100%", assigneeIds: [bob().userId, ada.userId] });
    await create(ada, { title: "done", status: Status.DONE });
  });

  it.each<[string, string[]]>([
    ["status = STATUS_DONE", ["done"]],
    ["status != STATUS_OPEN", ["done"]],
    ["priority >= 3", ["parent", "zoned"]],
    ["priority > 0 AND priority < 3", ["day", "floating"]],
    ['due < "2026-12-01"', ["day", "floating"]],
    ['due = "2026-12-01"', ["zoned"]],
    ['due <= "2026-11-30T23:00:00"', ["day", "floating"]],
    ['due < "2026-11-30T23:45:00Z"', ["day", "floating", "zoned"]],
    ["due:*", ["day", "floating", "zoned"]],
    ["NOT due:* AND status = STATUS_OPEN", ["Assigned 100%", "child", "parent"]],
    ['NOT due < "2026-12-01" AND priority = 0', ["Assigned 100%", "child", "done"]],
    ['due != "2026-11-30" AND priority >= 2', ["parent", "zoned"]],
    ["complete_time:*", ["done"]],
    ['create_time > "2000-01-01" AND title = "day"', ["day"]],
    ['create_time < "2000-01-01T00:00:00Z"', []],
    ['update_time >= "2000-01-01T00:00:00+14:00" AND title = "done"', ["done"]],
    ['title = "day" OR title = "done"', ["day", "done"]],
    ['title = "d*"', ["day", "done"]],
    ['title != "*a*" AND status = STATUS_OPEN', ["Assigned 100%", "child", "zoned"]],
    ['title:"SIGNED 100%"', ["Assigned 100%"]],
    ['title:"100_"', []],
    ['parent_task_id = "" AND priority = 4', ["parent"]],
    ["parent_task_id:*", ["child"]],
    ["label_ids:*", ["child"]],
    ["assignee_ids:*", ["Assigned 100%"]],
    ["(priority = 1 OR priority = 2) AND (due:* OR label_ids:*)", ["day", "floating"]],
    ["priority = 1 OR priority = 2 status = STATUS_DONE", []],
    ['title = "\'; DROP TABLE task; --"', []],
  ])("%s", async (filter, expected) => {
    expect(await titles(filter)).toEqual(expected);
  });

  it("finds by ids", async () => {
    expect(await titles(`parent_task_id = "${parent.taskId.toUpperCase()}"`)).toEqual(["child"]);
    expect(await titles(`label_ids:"${labelId}"`)).toEqual(["child"]);
    expect(await titles(`assignee_ids:"${ada.userId}"`)).toEqual(["Assigned 100%"]);
    expect(await titles(`assignee_ids:"${newId()}"`)).toEqual([]);
  });

  it("that cannot be read is refused by its field", async () => {
    expect(await wrongFields(listAll(ada, { filter: "owner_id = 1" }))).toEqual(["filter"]);
    expect(await wrongFields(listAll(ada, { filter: "x".repeat(2001) }))).toEqual(["filter"]);
    expect(await wrongFields(listAll(ada, { orderBy: "owner_id" }))).toEqual(["order_by"]);
    expect(await wrongFields(listAll(ada, { pageSize: 1001 }))).toEqual(["page_size"]);
    expect(await wrongFields(listAll(ada, { pageSize: -1 }))).toEqual(["page_size"]);
  });
});

describe("an order [task.03]", () => {
  const caller = () => eve;
  let eve: Caller;
  beforeAll(async () => {
    eve = stage.person("Eve");
    for (let i = 0; i < 12; i += 1) {
      await create(eve, {
        title: `task ${String(i % 5)}`,
        priority: i % 3,
        ...(i % 4 === 0 ? {} : { due: { date: `2026-12-0${1 + (i % 4)}` } }),
      });
    }
  });

  it.each<[string, (a: Task, b: Task) => number]>([
    ["", (a, b) => -compareTime(a, b)],
    ["create_time", compareTime],
    ["create_time desc", (a, b) => -compareTime(a, b)],
    ["priority desc", (a, b) => b.priority - a.priority],
    ["priority desc, due", (a, b) => b.priority - a.priority || compareDue(a, b, 1)],
    ["priority, due desc", (a, b) => a.priority - b.priority || compareDue(a, b, -1)],
    ["due", (a, b) => compareDue(a, b, 1)],
    ["due desc, title, priority desc", (a, b) => compareDue(a, b, -1) || compareText(a, b) || b.priority - a.priority],
    ["title desc, create_time desc", (a, b) => -compareText(a, b) || -compareTime(a, b)],
    ["status, update_time", compareTime],
  ])("%j is kept over pages of every size", async (orderBy, compare) => {
    const whole = await listAll(caller(), { orderBy, pageSize: 1000 });
    expect(whole).toHaveLength(12);
    for (const [index, task] of whole.slice(1).entries()) {
      expect(compare(whole[index] as Task, task)).toBeLessThanOrEqual(0);
    }
    for (const pageSize of [1, 2, 5, 12, 13]) {
      expect((await listAll(caller(), { orderBy, pageSize })).map(({ taskId }) => taskId)).toEqual(
        whole.map(({ taskId }) => taskId),
      );
    }
  });
});

describe("pages [task.04]", () => {
  it("lose nothing and repeat nothing while tasks are added", async () => {
    const adder = stage.person("Adder");
    const add = () =>
      create(adder, { title: `n${Math.random()}`, priority: Math.floor(Math.random() * 5), ...someDue() });
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(Array.from({ length: 8 }, add));
      for (const orderBy of ["", "priority desc, due", "due", "title", "priority, due desc"]) {
        const before = (await listAll(adder, { orderBy, pageSize: 1000 })).map(({ taskId }) => taskId);
        const pageSize = 1 + Math.floor(Math.random() * 20);
        const seen = (await listAll(adder, { orderBy, pageSize }, () => add())).map(({ taskId }) => taskId);
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen.filter((taskId) => before.includes(taskId))).toEqual(before);
      }
    }
  });

  it("stay whole when the task that a page ended with is deleted", async () => {
    const caller = stage.person("Deleter");
    const tasks: Task[] = [];
    for (let i = 0; i < 6; i += 1) tasks.unshift(await create(caller, { title: `t${i}` }));
    const first = await caller.client.listTasks({ pageSize: 3 }, caller.as());
    await caller.client.deleteTask({ taskId: first.tasks[2]?.taskId }, caller.as());
    const second = await caller.client.listTasks({ pageSize: 3, pageToken: first.nextPageToken }, caller.as());
    expect(second.tasks).toEqual(tasks.slice(3));
  });

  it("are 50 long by default, and the last one has no token", async () => {
    const caller = stage.person("Many");
    await Promise.all(Array.from({ length: 51 }, (_, i) => create(caller, { title: `t${i}` })));
    const first = await caller.client.listTasks({}, caller.as());
    expect(first.tasks).toHaveLength(50);
    const second = await caller.client.listTasks({ pageToken: first.nextPageToken }, caller.as());
    expect([second.tasks.length, second.nextPageToken]).toEqual([1, ""]);
  });

  it("take a token only for the list that it is of", async () => {
    const caller = stage.person("Owner");
    const thief = stage.person("Thief");
    for (let i = 0; i < 3; i += 1) await create(caller, { title: "🙂".repeat(500) });
    const list = (who: Caller, query: Query & { pageToken?: string }) =>
      who.client.listTasks({ pageSize: 1, orderBy: "title", ...query }, who.as());
    const { nextPageToken: pageToken } = await list(caller, {});
    expect((await list(caller, { pageToken })).tasks).toHaveLength(1);
    const altered = (pageToken[0] === "A" ? "B" : "A") + pageToken.slice(1);
    expect(await wrongFields(list(thief, { pageToken }))).toEqual(["page_token"]);
    expect(await wrongFields(list(caller, { pageToken, orderBy: "title desc" }))).toEqual(["page_token"]);
    expect(await wrongFields(list(caller, { pageToken, filter: "priority = 0" }))).toEqual(["page_token"]);
    expect(await wrongFields(list(caller, { pageToken: altered }))).toEqual(["page_token"]);
    expect(await wrongFields(list(caller, { pageToken: "x" }))).toEqual(["page_token"]);
  });

  it("show what is shared in the order of all", async () => {
    const [owner, guest] = [stage.person("Owner"), stage.person("Guest")];
    const first = await create(owner, { title: "1" });
    const second = await create(guest, { title: "2" });
    const third = await create(owner, { title: "3" });
    for (const { taskId } of [first, third]) {
      await owner.client.shareTask({ taskId, userId: guest.userId, role: Role.VIEWER }, owner.as());
    }
    expect((await listAll(guest, { pageSize: 1 })).map(({ title }) => title)).toEqual(["3", "2", "1"]);
    expect((await listAll(owner, {})).map(({ taskId }) => taskId)).not.toContain(second.taskId);
  });
});

function millis({ createTime }: Task): number {
  return Number(createTime?.seconds ?? 0n) * 1000 + (createTime?.nanos ?? 0) / 1e6;
}

function compareTime(a: Task, b: Task): number {
  return millis(a) - millis(b);
}

function compareText(a: Task, b: Task): number {
  return a.title === b.title ? 0 : a.title < b.title ? -1 : 1;
}

/** Without a due comes last both ways. */
function compareDue(a: Task, b: Task, direction: 1 | -1): number {
  const [left, right] = [a.due?.date, b.due?.date];
  if (left === right) return 0;
  if (left === undefined || right === undefined) return left === undefined ? 1 : -1;
  return (left < right ? -1 : 1) * direction;
}

function someDue(): TaskInit {
  const day = Math.floor(Math.random() * 4);
  return day === 0 ? {} : { due: { date: `2026-12-0${day}` } };
}
