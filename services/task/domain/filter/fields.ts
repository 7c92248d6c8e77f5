import { Status } from "../task.ts";

export type FieldType = "status" | "integer" | "text" | "due" | "time" | "id" | "ids";

export interface Field {
  type: FieldType;
  /** SQL that reads it; a list is made of the table `task` as t. */
  column: string;
}

/** Every field that filters know, by its proto name. */
export const filterFields: Readonly<Record<string, Field>> = {
  status: { type: "status", column: "t.status" },
  priority: { type: "integer", column: "t.priority" },
  title: { type: "text", column: "t.title" },
  due: { type: "due", column: 't.due_local collate "C"' },
  create_time: { type: "time", column: "t.create_time" },
  update_time: { type: "time", column: "t.update_time" },
  complete_time: { type: "time", column: "t.complete_time" },
  parent_task_id: { type: "id", column: "t.parent_task_id" },
  assignee_ids: { type: "ids", column: "t.assignee_ids" },
  label_ids: { type: "ids", column: "t.label_ids" },
};

export const statusNames: Readonly<Record<string, Status>> = {
  STATUS_OPEN: Status.OPEN,
  STATUS_IN_PROGRESS: Status.IN_PROGRESS,
  STATUS_DONE: Status.DONE,
  STATUS_CANCELLED: Status.CANCELLED,
};
