import { defineEntity, p } from "@mikro-orm/core";

/** A task. Lists of ids are arrays, so that a task without subtasks is one row to write and one to read. */
export const TaskEntity = defineEntity({
  name: "Task",
  tableName: "task",
  properties: {
    taskId: p.uuid().primary(),
    ownerId: p.uuid(),
    title: p.text(),
    description: p.text(),
    /** The numbers of task.v1.Status. */
    status: p.smallint(),
    priority: p.smallint(),
    /** As given: "2026-11-30" or "2026-11-30T09:00:00". */
    dueLocal: p.text().nullable(),
    dueTimeZone: p.text().nullable(),
    /** What tasks are ordered by. */
    dueInstant: p.datetime(3).nullable(),
    parentTaskId: p.uuid().nullable(),
    labelIds: p.array().columnType("uuid[]"),
    assigneeIds: p.array().columnType("uuid[]"),
    recurrenceRrule: p.text().nullable(),
    recurrenceExdates: p.array().columnType("text[]").nullable(),
    recurrenceFromCompletion: p.boolean().nullable(),
    seriesId: p.uuid().nullable(),
    seriesIndex: p.integer().nullable(),
    createTime: p.datetime(3),
    updateTime: p.datetime(3),
    completeTime: p.datetime(3).nullable(),
    /** A deleted task stays for what refers to it, and nobody sees it. */
    deleteTime: p.datetime(3).nullable(),
    revision: p.bigint(),
    /** The sequence of the newest event. */
    eventSequence: p.bigint(),
  },
  indexes: [
    { name: "task_status", properties: ["status"] },
    { name: "task_create_time", properties: ["createTime"] },
    { name: "task_owner_id_status", properties: ["ownerId", "status"] },
    { name: "task_parent", properties: ["parentTaskId"], where: "parent_task_id is not null" },
  ],
  uniques: [
    {
      name: "task_series",
      properties: ["seriesId", "seriesIndex"],
      where: "series_id is not null and delete_time is null",
    },
  ],
});
