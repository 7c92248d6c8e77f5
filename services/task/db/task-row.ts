import { instantOf } from "../domain/due.ts";
import type { Role, Status, Task } from "../domain/task.ts";

/** A row of the table `task` as the driver hands it over. */
export interface TaskRow {
  task_id: string;
  owner_id: string;
  title: string;
  description: string;
  status: number;
  priority: number;
  due_local: string | null;
  due_time_zone: string | null;
  due_instant: Date | null;
  parent_task_id: string | null;
  label_ids: string[];
  assignee_ids: string[];
  recurrence_rrule: string | null;
  recurrence_exdates: string[] | null;
  recurrence_from_completion: boolean | null;
  series_id: string | null;
  series_index: number | null;
  create_time: Date;
  update_time: Date;
  complete_time: Date | null;
  revision: bigint;
  event_sequence: bigint;
}

/** The columns of a task and their types, in the order of `toParameters`. */
export const taskColumns = [
  ["task_id", "uuid"],
  ["owner_id", "uuid"],
  ["title", "text"],
  ["description", "text"],
  ["status", "smallint"],
  ["priority", "smallint"],
  ["due_local", "text"],
  ["due_time_zone", "text"],
  ["due_instant", "timestamptz"],
  ["parent_task_id", "uuid"],
  ["label_ids", "uuid[]"],
  ["assignee_ids", "uuid[]"],
  ["recurrence_rrule", "text"],
  ["recurrence_exdates", "text[]"],
  ["recurrence_from_completion", "boolean"],
  ["series_id", "uuid"],
  ["series_index", "integer"],
  ["create_time", "timestamptz"],
  ["update_time", "timestamptz"],
  ["complete_time", "timestamptz"],
  ["revision", "bigint"],
  ["event_sequence", "bigint"],
] as const satisfies readonly (readonly [keyof TaskRow, string])[];

/** "task_id, owner_id, …" */
export const columnNames = taskColumns.map(([name]) => name).join(", ");
/** "t.task_id, t.owner_id, …" */
export const selectedColumns = taskColumns.map(([name]) => `t.${name}`).join(", ");

export function toRow(task: Task): TaskRow {
  return {
    task_id: task.taskId,
    owner_id: task.ownerId,
    title: task.title,
    description: task.description,
    status: task.status,
    priority: task.priority,
    due_local: task.due?.local ?? null,
    due_time_zone: task.due?.timeZone ?? null,
    due_instant: task.due && instantOf(task.due),
    parent_task_id: task.parentTaskId,
    label_ids: task.labelIds,
    assignee_ids: task.assigneeIds,
    recurrence_rrule: task.recurrence?.rrule ?? null,
    recurrence_exdates: task.recurrence?.exdates ?? null,
    recurrence_from_completion: task.recurrence?.fromCompletion ?? null,
    series_id: task.occurrence?.seriesId ?? null,
    series_index: task.occurrence?.index ?? null,
    create_time: task.createTime,
    update_time: task.updateTime,
    complete_time: task.completeTime,
    revision: task.revision,
    event_sequence: task.eventSequence,
  };
}

/** The values of a task in the order of its columns, as the driver takes them. */
export function toParameters(task: Task): unknown[] {
  const row = toRow(task);
  return taskColumns.map(([name]) => row[name]);
}

export function fromRow(row: TaskRow): Task {
  return {
    taskId: row.task_id,
    ownerId: row.owner_id,
    title: row.title,
    description: row.description,
    status: row.status as Status,
    priority: row.priority,
    due: row.due_local === null ? null : { local: row.due_local, timeZone: row.due_time_zone },
    parentTaskId: row.parent_task_id,
    labelIds: row.label_ids,
    assigneeIds: row.assignee_ids,
    recurrence:
      row.recurrence_rrule === null
        ? null
        : {
            rrule: row.recurrence_rrule,
            exdates: row.recurrence_exdates ?? [],
            fromCompletion: row.recurrence_from_completion ?? false,
          },
    occurrence:
      row.series_id === null || row.series_index === null ? null : { seriesId: row.series_id, index: row.series_index },
    createTime: row.create_time,
    updateTime: row.update_time,
    completeTime: row.complete_time,
    revision: row.revision,
    eventSequence: row.event_sequence,
  };
}

/** What somebody may do with a task, as a column `role`. */
export type WithRole = TaskRow & { role: Role };
