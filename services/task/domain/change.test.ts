import { describe, expect, it } from "vitest";
import type { ServiceError } from "#kit/errors.ts";
import { changeable, changedFields, changedPaths, differences, type TaskInput, toFields } from "./change.ts";
import { newTask } from "./revise.ts";
import { Status, type Task } from "./task.ts";

const nothing: TaskInput = {
  title: "",
  description: "",
  status: 0,
  priority: 0,
  due: null,
  projectId: "",
  parentTaskId: "",
  labelIds: [],
  assigneeIds: [],
  recurrence: null,
};
const input = (given: Partial<TaskInput>): TaskInput => ({ ...nothing, ...given });

const full = input({
  title: "Water the plants",
  description: "All of them",
  status: Status.IN_PROGRESS,
  priority: 3,
  due: { date: "", dateTime: "2026-11-30T09:00:00", timeZone: "Europe/Berlin" },
  parentTaskId: "01a1fde8-0000-7000-8000-000000000001",
  labelIds: ["01a1fde8-0000-7000-8000-000000000002"],
  assigneeIds: ["01a1fde8-0000-7000-8000-000000000003"],
  recurrence: { rrule: "FREQ=WEEKLY", exdates: ["2026-12-25"], fromCompletion: true },
});
const task: Task = newTask(toFields(full), { taskId: "t", ownerId: "ada", at: new Date("2026-11-21T12:00:00Z") });

function refusedField(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return (error as ServiceError).fieldViolations[0]?.field;
  }
  return undefined;
}

describe("the paths of a change", () => {
  it("are the given fields when there is no mask", () => {
    expect(changedPaths(undefined, input({ title: "x", labelIds: ["l"] }))).toEqual(["title", "label_ids"]);
    expect(changedPaths([], input({ due: { date: "", dateTime: "", timeZone: "" } }))).toEqual(["due"]);
    expect(changedPaths(undefined, nothing)).toEqual([]);
  });

  it("are all that people can change for a star", () => {
    expect(changedPaths(["*"], nothing)).toEqual([...changeable]);
  });

  it("leave out what only says which task is meant", () => {
    expect(changedPaths(["task_id", "etag", "title"], nothing)).toEqual(["title"]);
  });

  it.each([
    "create_time",
    "update_time",
    "complete_time",
    "revision",
    "owner_id",
    "titel",
    "title.x",
    "due.day",
    "due.date.x",
    "",
    ".",
    "Title",
    "constructor",
    "__proto__",
  ])("cannot be %j", (path) => {
    expect(refusedField(() => changedPaths(["title", path], nothing))).toBe("update_mask");
  });
});

describe("a change", () => {
  it.each<[string, Partial<TaskInput>, string[], Partial<Task>]>([
    ["sets what is given", { title: "New" }, ["title"], { title: "New" }],
    ["clears a text", {}, ["description"], { description: "" }],
    ["clears a number", {}, ["priority"], { priority: 0 }],
    ["clears a list", {}, ["label_ids", "assignee_ids"], { labelIds: [], assigneeIds: [] }],
    ["clears the parent", {}, ["parent_task_id"], { parentTaskId: null }],
    ["takes a cleared status for open", {}, ["status"], { status: Status.OPEN }],
    ["clears the due with its rule", {}, ["due", "recurrence"], { due: null, recurrence: null }],
    [
      "changes a part of the due",
      { due: { date: "", dateTime: "", timeZone: "Asia/Tokyo" } },
      ["due.time_zone"],
      { due: { local: "2026-11-30T09:00:00", timeZone: "Asia/Tokyo" } },
    ],
    [
      "changes a part of the rule",
      {},
      ["recurrence.exdates"],
      { recurrence: { rrule: "FREQ=WEEKLY", exdates: [], fromCompletion: true } },
    ],
    [
      "makes a day of a time by that part alone",
      { due: { date: "2026-12-01", dateTime: "", timeZone: "" } },
      ["due.date"],
      { due: { local: "2026-12-01", timeZone: null } },
    ],
    [
      "makes a day of a time",
      { due: { date: "2026-12-01", dateTime: "", timeZone: "" } },
      ["due"],
      { due: { local: "2026-12-01", timeZone: null } },
    ],
  ])("%s, and nothing else", (_, given, paths, expected) => {
    const { title, description, status, priority, due, parentTaskId, labelIds, assigneeIds, recurrence } = task;
    const before = { title, description, status, priority, due, parentTaskId, labelIds, assigneeIds, recurrence };
    expect(changedFields(task, input(given), paths)).toEqual({ ...before, ...expected });
  });

  it.each<[string, Partial<TaskInput>, string[], string]>([
    ["clears the title", {}, ["title"], "task.title"],
    ["leaves only blanks of the title", { title: "  " }, ["title"], "task.title"],
    ["takes the due from a rule", {}, ["due"], "task.recurrence"],
    ["names a project", { projectId: "01a1fde8-0000-7000-8000-000000000009" }, ["project_id"], "task.project_id"],
    [
      "gives a day and a time",
      { due: { date: "2026-12-01", dateTime: "2026-12-01T09:00:00", timeZone: "" } },
      ["due.date", "due.date_time"],
      "task.due.date_time",
    ],
    [
      "empties the rule",
      { recurrence: { rrule: "", exdates: [], fromCompletion: false } },
      ["recurrence.rrule"],
      "task.recurrence.rrule",
    ],
  ])("is refused when it %s", (_, given, paths, field) => {
    expect(refusedField(() => changedFields(task, input(given), paths))).toBe(field);
  });

  it("changes nothing that the paths do not name, whatever is given", () => {
    const paths = changeable.filter((path) => path !== "project_id" && path !== "due" && path !== "recurrence");
    const other = input({
      title: "Other",
      description: "Other",
      status: Status.DONE,
      priority: 1,
      parentTaskId: "01a1fde8-0000-7000-8000-000000000004",
      labelIds: ["01a1fde8-0000-7000-8000-000000000005"],
      assigneeIds: [],
      due: { date: "2030-01-01", dateTime: "", timeZone: "" },
      recurrence: { rrule: "FREQ=DAILY", exdates: [], fromCompletion: false },
    });
    for (let mask = 0; mask < 2 ** paths.length; mask += 1) {
      const chosen = paths.filter((_, bit) => mask & (1 << bit));
      expect(differences(task, changedFields(task, other, chosen))).toEqual(chosen);
    }
  });
});

describe("a new task", () => {
  it("is open unless told otherwise", () => {
    expect(toFields(input({ title: "x" })).status).toBe(Status.OPEN);
  });

  it.each(["", " ", "\t"])("needs a title, which %j is not", (title) => {
    expect(refusedField(() => toFields(input({ title })))).toBe("task.title");
  });

  it("keeps ids in one form, each once", () => {
    const id = "01A1FDE8-0000-7000-8000-00000000000F";
    const fields = toFields(input({ title: "x", parentTaskId: id, labelIds: [id, id.toLowerCase()] }));
    expect(fields).toMatchObject({ parentTaskId: id.toLowerCase(), labelIds: [id.toLowerCase()] });
  });
});
