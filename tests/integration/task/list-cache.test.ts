import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { Role, Status, type Task } from "#gen/task/v1/task_pb.js";
import { AnswerCache } from "#kit/answer-cache/answer-cache.ts";
import { consistencyHeader } from "#kit/consistency/token.ts";
import { Database } from "#kit/db/database.ts";
import { type Caller, startStage, type TaskStage, wrongFields } from "./service.ts";

let stage: TaskStage;
let redis: Redis;
beforeAll(async () => {
  stage = await startStage("list cache");
  redis = new Redis(inject("redis"));
});
afterAll(async () => {
  redis?.disconnect();
  await stage?.close();
});
afterEach(() => vi.restoreAllMocks());

const titlesOf = ({ tasks }: { tasks: Task[] }) => tasks.map(({ title, status }) => `${title} ${status}`);
const list = async (person: Caller) => titlesOf(await person.client.listTasks({}, person.as()));
/** As the database has it: whoever sends a consistency token is answered from there. */
const listAnew = async (person: Caller) =>
  titlesOf(await person.client.listTasks({}, person.as({ [consistencyHeader]: "task=0000000000000000" })));
const statsOf = (person: Caller, timeZone = "") => person.client.getTaskStats({ timeZone }, person.as());

async function add(person: Caller, title: string, assigneeIds: string[] = []): Promise<Task> {
  return (await person.client.createTask({ task: { title, assigneeIds } }, person.as())).task as Task;
}

/** Behind the back of the service: only an answer that was kept does not show it. */
const rename = (taskId: string, title: string) =>
  stage.sql.query("UPDATE task SET title = $2 WHERE task_id = $1", [taskId, title]);

describe("a list [001.04]", () => {
  it("is kept for five minutes under the user's key, for that user and request alone", async () => {
    const [ada, bob] = [stage.person("Ada"), stage.person("Bob")];
    const { taskId } = await add(ada, "shared", [bob.userId]);
    expect([await list(ada), await list(bob)]).toEqual([["shared 1"], ["shared 1"]]);
    await until(() => redis.hlen(`tasks:user:${ada.userId}`), 2);
    const left = await redis.pttl(`tasks:user:${ada.userId}`);
    expect(left).toBeGreaterThan(200_000);
    expect(left).toBeLessThanOrEqual(300_000);
    await rename(taskId, "behind");
    expect([await list(ada), await list(bob)]).toEqual([["shared 1"], ["shared 1"]]);
    expect(titlesOf(await ada.client.listTasks({ pageSize: 7 }, ada.as()))).toEqual(["behind 1"]);
    expect(await listAnew(ada)).toEqual(["behind 1"]);
    expect(titlesOf(await stage.person("Eve").client.listTasks({}, stage.person("Eve").as()))).toEqual([]);
  });

  it("shows each change at once, to everybody who takes part", async () => {
    const [ada, bob] = [stage.person("Ada"), stage.person("Bob")];
    const first = await add(ada, "first");
    const writes: Record<string, () => Promise<unknown>> = {
      create: () => add(ada, "second", [bob.userId]),
      share: () => ada.client.shareTask({ taskId: first.taskId, userId: bob.userId, role: Role.EDITOR }, ada.as()),
      update: () => bob.client.updateTask({ task: { taskId: first.taskId, title: "changed" } }, bob.as()),
      complete: () => bob.client.completeTask({ taskId: first.taskId }, bob.as()),
      reopen: () => ada.client.updateTask({ task: { taskId: first.taskId, status: Status.OPEN } }, ada.as()),
      import: () =>
        ada.client.importTasks({ format: 1, content: Buffer.from("TYPE,CONTENT\ntask,imported\n") }, ada.as()),
      delete: () => ada.client.deleteTask({ taskId: first.taskId }, ada.as()),
    };
    for (const [name, write] of Object.entries(writes)) {
      for (const person of [ada, bob]) for (let time = 0; time < 2; time += 1) await list(person);
      const before = await list(ada);
      await write();
      for (const person of [ada, bob]) expect(await list(person), name).toEqual(await listAnew(person));
      if (name !== "share") expect(await list(ada), name).not.toEqual(before);
    }
  });

  it("is told of by pub/sub when it changes, so that no process goes on with it", async () => {
    const [ada, bob] = [stage.person("Ada"), stage.person("Bob")];
    const listener = redis.duplicate();
    const heard = new Set<string>();
    listener.on("message", (_channel, userId) => heard.add(userId));
    try {
      await listener.subscribe("tasks:changed");
      await list(bob);
      await until(() => redis.hlen(`tasks:user:${bob.userId}`), 2);
      await add(ada, "shared", [bob.userId]);
      await until(async () => Number(heard.has(bob.userId)), 1);
    } finally {
      listener.disconnect();
    }
  });

  it("never is older than a write of the caller, however many there are at a time", async () => {
    expect(await oldLists()).toBe(0);
  });

  it("would be, if Redis were not told of the writes", async () => {
    vi.spyOn(AnswerCache.prototype, "begin").mockReturnValue("nobody");
    vi.spyOn(AnswerCache.prototype, "end").mockResolvedValue();
    expect(await oldLists()).toBeGreaterThan(0);
  });

  it("is read once by those who ask for the same at the same time", async () => {
    const ada = stage.person("Ada");
    await add(ada, "asked for");
    const query = vi.spyOn(Database.prototype, "query");
    await Promise.all(Array.from({ length: 20 }, () => list(ada)));
    const lists = query.mock.calls.filter(([sql]) => typeof sql !== "string" && sql.text.includes("AS cursor"));
    expect(lists.length).toBeLessThan(20);
  });

  it("is read each time when nothing is to be kept", async () => {
    const strict = await startStage("no cache", { environment: { TASK_LIST_CACHE_TTL: "0" } });
    try {
      const eve = strict.person("Eve");
      const { taskId } = await add(eve, "before");
      expect(await list(eve)).toEqual(["before 1"]);
      await strict.sql.query("UPDATE task SET title = 'after' WHERE task_id = $1", [taskId]);
      expect(await list(eve)).toEqual(["after 1"]);
    } finally {
      await strict.close();
    }
  });
});

/** How many lists lacked what their reader had just written, with three others who read and write the same. */
async function oldLists(): Promise<number> {
  const people = ["Ada", "Bob", "Cyd"].map((name) => stage.person(name));
  const [ada] = people as [Caller, Caller, Caller];
  const others = people.slice(1).map(({ userId }) => userId);
  const tasks = await Promise.all(people.map((_, index) => add(ada, `task ${index}`, others)));
  let old = 0;
  const write = async (person: Caller, taskId: string, title: string) => {
    await person.client.updateTask({ task: { taskId, title } }, person.as());
    if (!(await list(person)).includes(`${title} 1`)) old += 1;
  };
  await Promise.all(
    people.map(async (person, index) => {
      for (let round = 0; round < 25; round += 1) {
        await list(person);
        await write(person, tasks[index]?.taskId ?? "", `${index} in round ${round}`);
      }
    }),
  );
  return old;
}

describe("counts", () => {
  it("are by status and priority, with what is overdue and what was lately completed", async () => {
    const ada = stage.person("Ada");
    const create = (task: object) => ada.client.createTask({ task: { title: "t", ...task } }, ada.as());
    const today = new Date().toISOString().slice(0, 10);
    await create({ priority: 4, due: { date: "2020-01-31" } });
    await create({ priority: 4, due: { dateTime: "2020-01-31T10:00:00", timeZone: "Europe/Berlin" } });
    await create({ priority: 1, due: { date: today } });
    await create({ status: Status.IN_PROGRESS, due: { date: "2999-01-01" } });
    await create({ status: Status.DONE, due: { date: "2020-01-31" } });
    const longAgo = (await create({ status: Status.DONE })).task?.taskId;
    await stage.sql.query("UPDATE task SET complete_time = now() - interval '8 days' WHERE task_id = $1", [longAgo]);
    const { $typeName, $unknown, countTime, statuses, priorities, ...sums } = await statsOf(ada);
    expect(sums).toEqual({ totalCount: 6, overdueCount: 2, recentlyCompletedCount: 1 });
    expect(statuses.map(({ status, count }) => [status, count])).toEqual([
      [Status.OPEN, 3],
      [Status.IN_PROGRESS, 1],
      [Status.DONE, 2],
    ]);
    expect(priorities.map(({ priority, count }) => [priority, count])).toEqual([
      [4, 2],
      [1, 1],
      [0, 1],
    ]);
    expect(Math.abs(Number(countTime?.seconds) - Date.now() / 1000)).toBeLessThan(60);
  });

  it("know when a day is over where the caller is", async () => {
    const ada = stage.person("Ada");
    const now = Date.now();
    const dayAt = (offsetHours: number) => new Date(now + offsetHours * 3_600_000).toISOString().slice(0, 10);
    await ada.client.createTask({ task: { title: "day", due: { date: dayAt(-11) } } }, ada.as());
    expect((await statsOf(ada, "Pacific/Pago_Pago")).overdueCount).toBe(0);
    expect((await statsOf(ada, "Pacific/Kiritimati")).overdueCount).toBe(1);
    expect(await wrongFields(statsOf(ada, "Nowhere/City"))).toEqual(["time_zone"]);
  });

  it("are kept for a minute, and counted anew after each change", async () => {
    const ada = stage.person("Ada");
    const { taskId } = await add(ada, "one");
    expect((await statsOf(ada)).totalCount).toBe(1);
    await until(() => redis.hlen(`tasks:user:${ada.userId}`), 2);
    await stage.sql.query("UPDATE task SET priority = 3 WHERE task_id = $1", [taskId]);
    expect((await statsOf(ada)).priorities.map(({ priority }) => priority)).toEqual([0]);
    await add(ada, "two");
    expect(await statsOf(ada)).toMatchObject({ totalCount: 2, priorities: [{ priority: 3 }, { priority: 0 }] });
  });
});

/** Answers are kept while their reader already has them. */
async function until(count: () => Promise<number>, wanted: number): Promise<void> {
  await vi.waitFor(async () => expect(await count()).toBe(wanted), { timeout: 30_000, interval: 5 });
}
