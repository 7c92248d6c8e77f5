import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Format } from "#gen/task/v1/task_import_pb.js";
import { Code } from "#kit/errors.ts";
import { type Caller, refusal, startStage, type TaskStage, wrongFields } from "./service.ts";

let stage: TaskStage;
let realExport: Uint8Array;
beforeAll(async () => {
  stage = await startStage("task import");
  realExport = await readFile(new URL("../../../cli/demo/todoist-export.csv", import.meta.url));
});
afterAll(() => stage.close());

const header = "TYPE,CONTENT,PRIORITY,INDENT,AUTHOR,RESPONSIBLE,DATE,DATE_LANG,TIMEZONE";
const bytes = (...lines: string[]) => new TextEncoder().encode([header, ...lines].join("\n"));

interface Options {
  format?: Format;
  timeZone?: string;
  dryRun?: boolean;
}

function importTasks(caller: Caller, content: Uint8Array, request: Options = {}) {
  return caller.client.importTasks({ format: Format.TODOIST_CSV, content, ...request }, caller.as());
}

describe("ImportTasks", () => {
  it("takes over a real export of Todoist", async () => {
    const ada = stage.person("Ada");
    const { importedCount, taskIds, skipped } = await importTasks(ada, realExport);
    expect([importedCount, taskIds.length, skipped]).toEqual([3, 3, []]);

    const tasks = await Promise.all(
      taskIds.map(async (taskId) => (await ada.client.getTask({ taskId }, ada.as())).task),
    );
    const { labels } = await ada.client.listLabels({}, ada.as());
    expect(labels.map(({ name }) => name)).toEqual(["errands"]);
    const inFiveDays = new Date(Date.now() + 5 * 86_400_000);
    const berlinDay = new Intl.DateTimeFormat("sv", { timeZone: "Europe/Berlin" }).format(inFiveDays);
    expect(tasks).toMatchObject([
      {
        title: "test project task with deadline and all the other stuff",
        priority: 4,
        due: { date: berlinDay },
        labelIds: [labels[0]?.labelId],
        parentTaskId: "",
        ownerId: ada.userId,
      },
      { title: "test project subtask", priority: 0, parentTaskId: taskIds[0] },
      { title: "test project alternate task", priority: 0, parentTaskId: "" },
    ]);

    const { comments } = await ada.client.listComments({ taskId: taskIds[0] }, ada.as());
    expect(comments.map(({ text }) => text)).toEqual([
      "first comment blah blah",
      "second comment",
      expect.stringMatching(/^edit\.png: https:\/\/.*\.png$/),
    ]);
    expect(new Set(comments.map(({ authorId }) => authorId))).toEqual(new Set([ada.userId]));

    const listed = (await ada.client.listTasks({}, ada.as())).tasks.map(({ taskId }) => taskId);
    expect(listed).toEqual(taskIds.toReversed());
    const events = await stage.events(taskIds[0]);
    expect(events.map(({ sequence, fact }) => [sequence, fact.case, fact.value])).toMatchObject([
      [1n, "taskCreated", { automatic: true }],
      [2n, "commentAdded", { automatic: true, excerpt: "first comment blah blah" }],
      [3n, "commentAdded", { automatic: true }],
      [4n, "commentAdded", { automatic: true }],
    ]);
    await ada.client.createComment({ taskId: taskIds[0], text: "mine" }, ada.as());
    expect((await stage.events(taskIds[0])).at(-1)).toMatchObject({
      sequence: 5n,
      fact: { value: { automatic: false } },
    });
  });

  it("only reports in a dry run", async () => {
    const ada = stage.person("Ada");
    const { importedCount, taskIds } = await importTasks(ada, realExport, { dryRun: true });
    expect([importedCount, taskIds]).toEqual([3, []]);
    expect((await ada.client.listTasks({}, ada.as())).tasks).toEqual([]);
    expect((await ada.client.listLabels({}, ada.as())).labels).toEqual([]);
  });

  it("imports what it can, and names what it cannot", async () => {
    const ada = stage.person("Ada");
    const content = bytes(
      "section,Later,,,,,,,",
      "task,plain,4,1,,,when pigs fly,en,",
      "task,weekly,4,1,,,every monday 9am,en,",
    );
    const { taskIds, skipped } = await importTasks(ada, content, { timeZone: "Asia/Tokyo" });
    expect(skipped.map(({ record }) => record)).toEqual([2, 3]);
    const { task } = await ada.client.getTask({ taskId: taskIds[1] }, ada.as());
    expect(task).toMatchObject({ due: { timeZone: "Asia/Tokyo" }, recurrence: { rrule: "FREQ=WEEKLY;BYDAY=MO" } });
    const { nextTask } = await ada.client.completeTask({ taskId: taskIds[1] }, ada.as());
    expect(nextTask).toMatchObject({ title: "weekly" });
  });

  it("uses the labels that are there, in whatever case", async () => {
    const ada = stage.person("Ada");
    const { label } = await ada.client.createLabel({ name: "Home" }, ada.as());
    const { taskIds } = await importTasks(ada, bytes("task,a @HOME @new,4,1,,,,,", "task,b @New,4,1,,,,,"));
    const tasks = await Promise.all(
      taskIds.map(async (taskId) => (await ada.client.getTask({ taskId }, ada.as())).task),
    );
    expect(tasks[0]?.labelIds[0]).toBe(label?.labelId);
    expect(tasks[1]?.labelIds).toEqual([tasks[0]?.labelIds[1]]);
  });

  it("takes the last moment of the calendar, also where it is in the next millennium elsewhere", async () => {
    const ada = stage.person("Ada");
    const { taskIds, skipped } = await importTasks(ada, bytes("task,a,4,1,,,12/31/9999 11pm,en,America/New_York"));
    expect(skipped).toEqual([]);
    const { task } = await ada.client.getTask({ taskId: taskIds[0] }, ada.as());
    expect(task?.due).toMatchObject({ dateTime: "9999-12-31T23:00:00", timeZone: "America/New_York" });
  });

  it.each<[string, Uint8Array, Options, string, RegExp]>([
    ["an open quote", bytes('task,"a,4,1,,,,,'), {}, "content", /line 2/],
    ["another header", new TextEncoder().encode("a,b\n1,2"), {}, "content", /line 1/],
    ["text that is not UTF-8", new Uint8Array([...bytes("task,caf"), 0xe9]), {}, "content", /line 2/],
    ["a record of another width", bytes("task,good,4,1,,,,,", "task,a"), {}, "content", /line 3/],
    ["nothing", new Uint8Array(), {}, "content", /./],
    ["too much", new Uint8Array(524_289), {}, "content", /./],
    ["no format", bytes(), { format: Format.UNSPECIFIED }, "format", /./],
    ["a zone that is none", bytes(), { timeZone: "Mars/Olympus" }, "time_zone", /IANA/],
  ])("refuses %s as a whole", async (_, content, request, field, description) => {
    const ada = stage.person("Ada");
    const error = await refusal(importTasks(ada, content, request));
    expect(error.code).toBe(Code.INVALID_ARGUMENT);
    expect(error.fieldViolations).toMatchObject([{ field, description: expect.stringMatching(description) }]);
    expect((await ada.client.listTasks({}, ada.as())).tasks).toEqual([]);
  });

  it("takes 5000 tasks at once, each with its events", async () => {
    const ada = stage.person("Ada");
    const lines = Array.from(
      { length: 5000 },
      (_, i) => `task,task ${i} @l${i % 50},${1 + (i % 4)},${1 + (i % 3)},,,in ${i} days,en,UTC`,
    );
    const { importedCount, taskIds } = await importTasks(ada, bytes(...lines));
    expect(importedCount).toBe(5000);
    expect(new Set(taskIds).size).toBe(5000);
    const { rows } = await stage.sql.query("SELECT count(*)::int AS count FROM outbox_event WHERE key = ANY($1)", [
      taskIds,
    ]);
    expect(rows[0].count).toBe(5000);
    const { tasks } = await ada.client.listTasks({ pageSize: 1 }, ada.as());
    expect(tasks[0]?.title).toBe("task 4999");
  });

  it("makes no more labels than a person can have, and then nothing at all", async () => {
    const ada = stage.person("Ada");
    const error = await refusal(
      importTasks(ada, bytes(...Array.from({ length: 1001 }, (_, i) => `task,t @l${i},4,1,,,,,`))),
    );
    expect(error).toMatchObject({ code: Code.FAILED_PRECONDITION, reason: ErrorReason.LIMIT_REACHED });
    expect((await ada.client.listTasks({}, ada.as())).tasks).toEqual([]);
    expect((await ada.client.listLabels({}, ada.as())).labels).toEqual([]);
  });

  it("asks for the format that the file has", async () => {
    expect(await wrongFields(importTasks(stage.person("Ada"), realExport, { format: 7 as Format }))).toEqual([
      "format",
    ]);
  });
});
