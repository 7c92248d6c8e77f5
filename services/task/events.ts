import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { TaskActivitySchema } from "#gen/task/v1/task_activity_pb.js";
import { type TaskEvent, TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import type { Status } from "#gen/task/v1/task_pb.js";
import { touches } from "#kit/answer-cache/touches.ts";
import type { OutgoingEvent } from "#kit/events/outbox.ts";
import { topics } from "#kit/events/topics.ts";
import { newId } from "#kit/id.ts";
import type { RecordedEvent } from "./db/activity.repository.ts";
import { excerptOf } from "./domain/comment.ts";
import type { Reminder } from "./domain/reminder.ts";
import type { Role, Task } from "./domain/task.ts";
import { dueToProto, reminderToProto } from "./rpc/convert.ts";

/** What every event of a task tells. */
export interface Occasion {
  /** The task after the change. Making an event raises its event sequence, so write it after that. */
  task: Task;
  /** Everybody who may see it after the change, the owner included. */
  memberIds: readonly string[];
  actorId: string;
  at: Date;
}

type ActivityFact = NonNullable<MessageInitShape<typeof TaskActivitySchema>["fact"]> & { case: string };
type Fact = NonNullable<MessageInitShape<typeof TaskEventSchema>["fact"]>;

const typeNames = {
  taskCreated: "task.v1.TaskCreated",
  taskUpdated: "task.v1.TaskUpdated",
  taskCompleted: "task.v1.TaskCompleted",
  taskReopened: "task.v1.TaskReopened",
  taskDeleted: "task.v1.TaskDeleted",
  taskShared: "task.v1.TaskShared",
  commentAdded: "task.v1.CommentAdded",
  reminderSet: "task.v1.ReminderSet",
  reminderRemoved: "task.v1.ReminderRemoved",
} as const satisfies Record<NonNullable<TaskEvent["fact"]["case"]>, string>;

/** `automatic`: made by an import or as the next of a series, not by a person one at a time. */
export function taskCreated(occasion: Occasion, automatic: boolean): RecordedEvent {
  const { assigneeIds } = occasion.task;
  return recorded(occasion, { case: "taskCreated", value: { assigneeIds, automatic } });
}

export function taskUpdated(
  occasion: Occasion,
  changedFields: readonly string[],
  addedAssigneeIds: readonly string[],
): RecordedEvent {
  return recorded(occasion, {
    case: "taskUpdated",
    value: { changedFields: [...changedFields], addedAssigneeIds: [...addedAssigneeIds] },
  });
}

export function taskCompleted(occasion: Occasion, nextTaskId: string | undefined): RecordedEvent {
  return recorded(occasion, { case: "taskCompleted", value: { nextTaskId: nextTaskId ?? "" } });
}

export function taskReopened(occasion: Occasion): RecordedEvent {
  return recorded(occasion, { case: "taskReopened", value: {} });
}

export function taskDeleted(occasion: Occasion): RecordedEvent {
  return recorded(occasion, { case: "taskDeleted", value: {} });
}

export function taskShared(
  occasion: Occasion,
  { userId, role, roleChanged }: { userId: string; role: Role; roleChanged: boolean },
): RecordedEvent {
  return recorded(occasion, { case: "taskShared", value: { userId, role, roleChanged } });
}

export function commentAdded(
  occasion: Occasion,
  { commentId, text }: { commentId: string; text: string },
  automatic: boolean,
): RecordedEvent {
  return recorded(occasion, { case: "commentAdded", value: { commentId, excerpt: excerptOf(text), automatic } });
}

/** A reminder is its owner's own affair, so that nobody finds it in the activity of the task. */
export function reminderSet(occasion: Occasion, reminder: Reminder): OutgoingEvent {
  const { userId } = reminder;
  return outgoing(occasion, { case: "reminderSet", value: { userId, reminder: reminderToProto(reminder) } });
}

export function reminderRemoved(
  occasion: Occasion,
  { userId, reminderId }: Pick<Reminder, "userId" | "reminderId">,
): OutgoingEvent {
  return outgoing(occasion, { case: "reminderRemoved", value: { userId, reminderId } });
}

/** An event that everybody who may see the task finds in its activity. */
function recorded(occasion: Occasion, fact: ActivityFact): RecordedEvent {
  const activity = create(TaskActivitySchema, { fact: withoutText(fact) });
  return {
    ...outgoing(occasion, fact),
    actorId: occasion.actorId,
    fact: toBinary(TaskActivitySchema, activity),
  };
}

/** What somebody wrote is kept in one place. */
function withoutText(fact: ActivityFact): ActivityFact {
  if (fact.case !== "commentAdded") return fact;
  const { commentId, automatic } = fact.value;
  return { case: fact.case, value: { commentId, automatic } };
}

function outgoing({ task, memberIds, actorId, at }: Occasion, fact: Fact & { case: keyof typeof typeNames }) {
  task.eventSequence += 1n;
  touches(memberIds);
  const event = create(TaskEventSchema, {
    eventId: newId(),
    sequence: task.eventSequence,
    occurTime: timestampFromDate(at),
    actorId,
    taskId: task.taskId,
    title: task.title,
    ownerId: task.ownerId,
    memberIds: [...memberIds],
    due: task.due ? dueToProto(task.due) : undefined,
    status: task.status as number as Status,
    fact,
  });
  return {
    topic: topics.taskEvents,
    key: task.taskId,
    eventId: event.eventId,
    type: typeNames[fact.case],
    sequence: event.sequence,
    payload: toBinary(TaskEventSchema, event),
    occurTime: at,
  } satisfies OutgoingEvent;
}
