import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Role } from "#gen/task/v1/task_pb.js";
import { DedicatedConnection } from "#kit/db/dedicated.ts";
import { maintainPartitions } from "#kit/db/partitions.ts";
import { newId } from "#kit/id.ts";
import { activityPage, activityTable } from "../../../services/task/db/activity.repository.ts";
import { createTestDatabase, type TestDatabase } from "../../_util/database.ts";
import { until } from "../../_util/until.ts";
import { type Caller, startStage, type TaskStage, wrongFields } from "./service.ts";

let stage: TaskStage;
let database: TestDatabase;
let ada: Caller;
beforeAll(async () => {
  database = await createTestDatabase("task activity");
  stage = await startStage("task activity", { database });
  ada = stage.person("Ada");
});
afterAll(() => stage.close());

async function create(): Promise<string> {
  const { task } = await ada.client.createTask({ task: { title: "Repot the fern" } }, ada.as());
  return task?.taskId ?? "";
}

async function activityOf(taskId: string, pageSize = 0, caller = ada) {
  const pages = [];
  let pageToken = "";
  do {
    const page = await caller.client.listTaskActivity({ taskId, pageSize, pageToken }, caller.as());
    pages.push(page.activities);
    pageToken = page.nextPageToken;
    if (pages.length > 100) throw new Error("the pages do not end");
  } while (pageToken !== "");
  return pages;
}

describe("the activity of a task", () => {
  it("says who did what and when, newest first, to everybody who may see it", async () => {
    const [bob, taskId] = [stage.person("Bob"), await create()];
    await ada.client.shareTask({ taskId, userId: bob.userId, role: Role.EDITOR }, ada.as());
    await bob.client.updateTask({ task: { taskId, title: "Repot the palm", priority: 2 } }, bob.as());
    const { comment } = await bob.client.createComment({ taskId, text: "It was no fern." }, bob.as());
    await ada.client.completeTask({ taskId }, ada.as());

    const [page = []] = await activityOf(taskId, 0, bob);
    const seen = page.map(({ actorId, fact }) => [actorId === bob.userId ? "bob" : "ada", fact]);
    const commentId = comment?.commentId;
    expect(seen).toMatchObject([
      ["ada", { case: "taskCompleted" }],
      ["bob", { case: "commentAdded", value: { commentId, excerpt: "", automatic: false } }],
      ["bob", { case: "taskUpdated", value: { changedFields: ["title", "priority"] } }],
      ["ada", { case: "taskShared", value: { userId: bob.userId, role: Role.EDITOR, roleChanged: false } }],
      ["ada", { case: "taskCreated", value: { assigneeIds: [], automatic: false } }],
    ]);
    const told = await stage.events(taskId);
    expect(page.map(({ activityId, sequence, occurTime }) => ({ eventId: activityId, sequence, occurTime }))).toEqual(
      told.reverse().map(({ eventId, sequence, occurTime }) => ({ eventId, sequence, occurTime })),
    );
  });

  it("comes in pages without gap or repetition, also of what one import brings", async () => {
    const notes = Array.from({ length: 12 }, (_, index) => `note,note ${index},,`).join("\n");
    const content = Buffer.from(`TYPE,CONTENT,PRIORITY,INDENT\ntask,Dig,1,1\n${notes}\n`);
    const { taskIds } = await ada.client.importTasks({ format: 1, content }, ada.as());
    const pages = await activityOf(taskIds[0] ?? "", 5);
    expect(pages.map(({ length }) => length)).toEqual([5, 5, 3]);
    expect(pages.flat().map(({ sequence }) => Number(sequence))).toEqual(
      Array.from({ length: 13 }, (_, index) => 13 - index),
    );
  });

  it("takes a page token only for the task that it is of", async () => {
    const [taskId, other] = [await create(), await create()];
    await ada.client.createComment({ taskId, text: "x" }, ada.as());
    const { nextPageToken } = await ada.client.listTaskActivity({ taskId, pageSize: 1 }, ada.as());
    const wrong = ada.client.listTaskActivity({ taskId: other, pageToken: nextPageToken }, ada.as());
    expect(await wrongFields(wrong)).toEqual(["page_token"]);
  });
});

describe("the partitions", () => {
  let connection: DedicatedConnection;
  beforeAll(async () => {
    connection = await DedicatedConnection.open({ url: database.url, applicationName: "task activity" });
  });
  afterAll(() => connection.close());

  const month = (later: number, from = new Date()) =>
    new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + later, 15));
  const nameOf = (time: Date) => time.toISOString().slice(0, 7).replace("-", "");
  const partitions = async () => {
    const rows = await connection.query<{ name: string }>(
      "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'task_activity'::regclass ORDER BY 1",
    );
    return rows.map(({ name }) => name.replace("task_activity_", ""));
  };
  const happened = (taskId: string, time: Date) =>
    connection.query("INSERT INTO task_activity VALUES ($1, $2, 1, $3, $3, '')", [taskId, time, newId()]);

  it("of the coming months are made by the running service", async () => {
    const wanted = [0, 1, 2].map((later) => nameOf(month(later)));
    await until("the months ahead", async () => (await partitions()).length > 3);
    expect(await partitions()).toEqual([...wanted, "default"]);
    await create();
    expect(await connection.query("SELECT 1 FROM task_activity_default")).toEqual([]);
  });

  it("that a page cannot need are not read", async () => {
    const year = month(24);
    const keep = activityTable(36_500);
    for (let step = 0; step < 12; step += 3) await maintainPartitions(connection, keep, { now: month(step, year) });
    const taskId = newId();
    for (let step = 0; step < 12; step += 1) await happened(taskId, month(step, year));
    const planned = activityPage.text.replaceAll(/::timestamptz|::uuid|::bigint/g, "");
    await connection.query(`PREPARE page (uuid, timestamptz, timestamptz, bigint, int) AS ${planned}`);
    const read = async (mode: string) => {
      await connection.query(`SET plan_cache_mode = ${mode}`);
      const [since, before] = [month(4, year), month(6, year)].map((time) => time.toISOString());
      const lines = await connection.query<{ "QUERY PLAN": string }>(
        `EXPLAIN (ANALYZE, COSTS OFF) EXECUTE page ('${taskId}', '${since}', '${before}', 0, 51)`,
      );
      const plan = lines.map((line) => line["QUERY PLAN"]).join("\n");
      expect(plan).not.toContain("Seq Scan");
      return [...new Set(plan.match(/task_activity_(\d{6}|default)\b/g))].sort();
    };
    const wanted = [4, 5, 6].map((step) => `task_activity_${nameOf(month(step, year))}`);
    expect(await read("force_generic_plan")).toEqual(wanted);
    expect(await read("force_custom_plan")).toEqual(wanted);
  });

  it("go as a whole when they are older than activity is kept, and not before", async () => {
    const first = nameOf(month(0));
    const end = Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() + 1);
    const days = (count: number) => new Date(end + count * 86_400_000);
    await maintainPartitions(connection, activityTable(400), { now: days(399) });
    expect(await partitions()).toContain(first);
    await maintainPartitions(connection, activityTable(400), { now: days(401) });
    expect(await partitions()).not.toContain(first);
  });
});
