import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ReminderSchema } from "#gen/task/v1/reminder_pb.js";
import { TaskActivitySchema } from "#gen/task/v1/task_activity_pb.js";
import type {
  CollaboratorSchema,
  CommentSchema,
  LabelSchema,
  Role as ProtoRole,
  Status as ProtoStatus,
  Task as ProtoTask,
  TaskSchema,
} from "#gen/task/v1/task_pb.js";
import type { Activity } from "../db/activity.repository.ts";
import type { Comment } from "../db/comment.repository.ts";
import type { Label } from "../db/label.repository.ts";
import type { TaskInput } from "../domain/change.ts";
import { isAllDay } from "../domain/due.ts";
import { etagOf } from "../domain/etag.ts";
import type { Reminder } from "../domain/reminder.ts";
import type { Collaborator, Due, Role, Status, Task } from "../domain/task.ts";

/** What a client sent of a task. The fields that the server sets are not looked at (AIP-203). */
export function inputFromProto(task: ProtoTask): TaskInput {
  return {
    title: task.title,
    description: task.description,
    status: task.status as number as Status | 0,
    priority: task.priority,
    due: task.due ? { date: task.due.date, dateTime: task.due.dateTime, timeZone: task.due.timeZone } : null,
    projectId: task.projectId,
    parentTaskId: task.parentTaskId,
    labelIds: task.labelIds,
    assigneeIds: task.assigneeIds,
    recurrence: task.recurrence
      ? {
          rrule: task.recurrence.rrule,
          exdates: task.recurrence.exdates,
          fromCompletion: task.recurrence.fromCompletion,
        }
      : null,
  };
}

export function taskToProto(task: Task): MessageInitShape<typeof TaskSchema> {
  return {
    taskId: task.taskId,
    title: task.title,
    description: task.description,
    status: task.status as number as ProtoStatus,
    priority: task.priority,
    due: task.due ? dueToProto(task.due) : undefined,
    parentTaskId: task.parentTaskId ?? "",
    labelIds: task.labelIds,
    assigneeIds: task.assigneeIds,
    recurrence: task.recurrence ?? undefined,
    createTime: timestampFromDate(task.createTime),
    updateTime: timestampFromDate(task.updateTime),
    completeTime: task.completeTime ? timestampFromDate(task.completeTime) : undefined,
    etag: etagOf(task),
    revision: task.revision,
    ownerId: task.ownerId,
  };
}

export function collaboratorToProto(
  { userId, role, createTime }: Omit<Collaborator, "taskId">,
  displayName: string,
): MessageInitShape<typeof CollaboratorSchema> {
  return { userId, displayName, role: role as number as ProtoRole, createTime: timestampFromDate(createTime) };
}

export function roleFromProto(role: ProtoRole): Role {
  return role as number as Role;
}

export function commentToProto(comment: Comment): MessageInitShape<typeof CommentSchema> {
  return { ...comment, createTime: timestampFromDate(comment.createTime) };
}

export function activityToProto({ fact, ...activity }: Activity): MessageInitShape<typeof TaskActivitySchema> {
  return {
    ...fromBinary(TaskActivitySchema, fact),
    ...activity,
    occurTime: timestampFromDate(activity.occurTime),
  };
}

export function reminderToProto(reminder: Reminder): MessageInitShape<typeof ReminderSchema> {
  const { reminderId, taskId, at, before, channels, snoozeTime, createTime } = reminder;
  return {
    reminderId,
    taskId,
    at: at ? timestampFromDate(at) : undefined,
    before: before === null ? undefined : durationFromMs(before * 1000),
    channels,
    snoozeTime: snoozeTime ? timestampFromDate(snoozeTime) : undefined,
    createTime: timestampFromDate(createTime),
  };
}

export function labelToProto({ labelId, name, createTime }: Label): MessageInitShape<typeof LabelSchema> {
  return { labelId, name, createTime: timestampFromDate(createTime) };
}

export function dueToProto(due: Due) {
  return isAllDay(due) ? { date: due.local } : { dateTime: due.local, timeZone: due.timeZone ?? "" };
}
