import { invalidArgument } from "#kit/errors.ts";
import { type DueInput, sameDue, toDue } from "./due.ts";
import { mustRecur } from "./recurrence.ts";
import { type Recurrence, Status, type Task, type TaskFields } from "./task.ts";

/** What a client may send of a task, before it is checked. An absent message is null, an absent scalar its zero. */
export interface TaskInput {
  title: string;
  description: string;
  status: Status | 0;
  priority: number;
  due: DueInput | null;
  projectId: string;
  parentTaskId: string;
  labelIds: string[];
  assigneeIds: string[];
  recurrence: Recurrence | null;
}

/** The proto names of the fields that people can change. */
export const changeable = [
  "title",
  "description",
  "status",
  "priority",
  "due",
  "project_id",
  "parent_task_id",
  "label_ids",
  "assignee_ids",
  "recurrence",
] as const;
export type Changeable = (typeof changeable)[number];

// They say which task and which state of it is meant, so naming them changes nothing.
const addressing = new Set(["task_id", "etag"]);
const subfields: Partial<Record<Changeable, readonly string[]>> = {
  due: ["date", "date_time", "time_zone"],
  recurrence: ["rrule", "exdates", "from_completion"],
};
const parts = {
  date: "date",
  date_time: "dateTime",
  time_zone: "timeZone",
  rrule: "rrule",
  exdates: "exdates",
  from_completion: "fromCompletion",
} as const satisfies Record<string, keyof DueInput | keyof Recurrence>;

/** The paths that an update changes. Throws INVALID_ARGUMENT for one that is unknown or set by the server. */
export function changedPaths(mask: readonly string[] | undefined, input: TaskInput): string[] {
  if (mask === undefined || mask.length === 0) return changeable.filter((field) => isGiven(input, field));
  return mask.flatMap((path) => {
    if (path === "*") return [...changeable];
    if (addressing.has(path)) return [];
    if (!isChangeable(path)) throw invalidArgument("update_mask", `"${path.slice(0, 60)}" cannot be changed`);
    return [path];
  });
}

/** The fields of a task after a change of the named paths. A path that is named and not given is cleared. */
export function changedFields(task: Task, input: TaskInput, paths: readonly string[]): TaskFields {
  const draft = inputOf(task);
  if (draft.due !== null) draft.due = withoutOther(draft.due, input.due, paths);
  for (const path of paths) take(draft, input, path);
  return toFields(draft);
}

/** The proto names of the fields that differ. */
export function differences(before: TaskFields, after: TaskFields): Changeable[] {
  const isSame: Record<Exclude<Changeable, "project_id">, boolean> = {
    title: before.title === after.title,
    description: before.description === after.description,
    status: before.status === after.status,
    priority: before.priority === after.priority,
    due: sameDue(before.due, after.due),
    parent_task_id: before.parentTaskId === after.parentTaskId,
    label_ids: sameList(before.labelIds, after.labelIds),
    assignee_ids: sameList(before.assigneeIds, after.assigneeIds),
    recurrence: sameRecurrence(before.recurrence, after.recurrence),
  };
  return changeable.filter((field) => field !== "project_id" && !isSame[field]);
}

function isChangeable(path: string): boolean {
  const dot = path.indexOf(".");
  if (dot < 0) return (changeable as readonly string[]).includes(path);
  return subfields[path.slice(0, dot) as Changeable]?.includes(path.slice(dot + 1)) ?? false;
}

function isGiven(input: TaskInput, field: Changeable): boolean {
  const value = input[names[field]];
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

const names = {
  title: "title",
  description: "description",
  status: "status",
  priority: "priority",
  due: "due",
  project_id: "projectId",
  parent_task_id: "parentTaskId",
  label_ids: "labelIds",
  assignee_ids: "assigneeIds",
  recurrence: "recurrence",
} as const satisfies Record<Changeable, keyof TaskInput>;

const noDue: DueInput = { date: "", dateTime: "", timeZone: "" };
const noRecurrence: Recurrence = { rrule: "", exdates: [], fromCompletion: false };

/** Copies one path: a field as a whole, or one part of a message. */
function take(draft: TaskInput, input: TaskInput, path: string): void {
  const [field, part] = path.split(".", 2) as [Changeable, string | undefined];
  if (part === undefined) {
    Object.assign(draft, { [names[field]]: input[names[field]] });
  } else if (field === "due") {
    const due = withPart(draft.due ?? noDue, input.due ?? noDue, part);
    draft.due = Object.values(due).every((value) => value === "") ? null : due;
  } else {
    draft.recurrence = withPart(draft.recurrence ?? noRecurrence, input.recurrence ?? noRecurrence, part);
  }
}

/** A due has a day or a time: whoever gives one of them, and says nothing of the other, leaves that behind. */
function withoutOther(before: DueInput, given: DueInput | null, paths: readonly string[]): DueInput {
  const names = (part: string) => paths.includes(`due.${part}`);
  const due = { ...before };
  if (names("date") && given?.date) {
    if (!names("date_time")) due.dateTime = "";
    if (!names("time_zone")) due.timeZone = "";
  }
  if (names("date_time") && given?.dateTime && !names("date")) due.date = "";
  return due;
}

function withPart<T extends object>(before: T, input: T, part: string): T {
  const key = (parts as Record<string, string>)[part] as keyof T;
  return { ...before, [key]: input[key] };
}

function inputOf(task: TaskFields): TaskInput {
  const { due } = task;
  const isDay = due?.local.length === 10;
  return {
    ...task,
    due: due && { date: isDay ? due.local : "", dateTime: isDay ? "" : due.local, timeZone: due.timeZone ?? "" },
    projectId: "",
    parentTaskId: task.parentTaskId ?? "",
  };
}

/** The fields of a new task. Throws INVALID_ARGUMENT naming the field that is wrong. */
export function toFields(input: TaskInput): TaskFields {
  if (input.title.trim() === "") throw invalidArgument("task.title", "a task needs a title");
  if (input.projectId !== "") throw invalidArgument("task.project_id", "there is no such project");
  const due = input.due && toDue(input.due);
  if (input.recurrence) mustRecur(input.recurrence, due);
  return {
    title: input.title,
    description: input.description,
    status: input.status || Status.OPEN,
    priority: input.priority,
    due,
    parentTaskId: input.parentTaskId.toLowerCase() || null,
    labelIds: distinct(input.labelIds),
    assigneeIds: distinct(input.assigneeIds),
    recurrence: input.recurrence && { ...input.recurrence, exdates: [...input.recurrence.exdates] },
  };
}

function distinct(ids: readonly string[]): string[] {
  return [...new Set(ids.map((id) => id.toLowerCase()))];
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

function sameRecurrence(a: Recurrence | null, b: Recurrence | null): boolean {
  if (a === null || b === null) return a === b;
  return a.rrule === b.rrule && a.fromCompletion === b.fromCompletion && sameList(a.exdates, b.exdates);
}
