import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type TaskEvent, TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import type { OutgoingEvent } from "#kit/events/outbox.ts";
import { topics } from "#kit/events/topics.ts";
import { newId } from "#kit/id.ts";
import { excerptOf } from "./domain/comment.ts";
import type { Role, Task } from "./domain/task.ts";

/** What every event of a task tells. */
export interface Occasion {
  /** The task after the change. Making an event raises its event sequence, so write it after that. */
  task: Task;
  /** Everybody who may see it after the change, the owner included. */
  memberIds: readonly string[];
  actorId: string;
  at: Date;
}

type Fact = NonNullable<MessageInitShape<typeof TaskEventSchema>["fact"]>;

const typeNames = {
  taskCreated: "task.v1.TaskCreated",
  taskUpdated: "task.v1.TaskUpdated",
  taskCompleted: "task.v1.TaskCompleted",
  taskReopened: "task.v1.TaskReopened",
  taskDeleted: "task.v1.TaskDeleted",
  taskShared: "task.v1.TaskShared",
  commentAdded: "task.v1.CommentAdded",
} as const satisfies Record<NonNullable<TaskEvent["fact"]["case"]>, string>;

/** `automatic`: made by an import or as the next of a series, not by a person one at a time. */
export function taskCreated(occasion: Occasion, automatic: boolean): OutgoingEvent {
  const { assigneeIds } = occasion.task;
  return outgoing(occasion, { case: "taskCreated", value: { assigneeIds, automatic } });
}

export function taskUpdated(
  occasion: Occasion,
  changedFields: readonly string[],
  addedAssigneeIds: readonly string[],
): OutgoingEvent {
  return outgoing(occasion, {
    case: "taskUpdated",
    value: { changedFields: [...changedFields], addedAssigneeIds: [...addedAssigneeIds] },
  });
}

export function taskCompleted(occasion: Occasion, nextTaskId: string | undefined): OutgoingEvent {
  return outgoing(occasion, { case: "taskCompleted", value: { nextTaskId: nextTaskId ?? "" } });
}

export function taskReopened(occasion: Occasion): OutgoingEvent {
  return outgoing(occasion, { case: "taskReopened", value: {} });
}

export function taskDeleted(occasion: Occasion): OutgoingEvent {
  return outgoing(occasion, { case: "taskDeleted", value: {} });
}

export function taskShared(
  occasion: Occasion,
  { userId, role, roleChanged }: { userId: string; role: Role; roleChanged: boolean },
): OutgoingEvent {
  return outgoing(occasion, { case: "taskShared", value: { userId, role, roleChanged } });
}

export function commentAdded(
  occasion: Occasion,
  { commentId, text }: { commentId: string; text: string },
  automatic: boolean,
): OutgoingEvent {
  return outgoing(occasion, { case: "commentAdded", value: { commentId, excerpt: excerptOf(text), automatic } });
}

function outgoing({ task, memberIds, actorId, at }: Occasion, fact: Fact & { case: keyof typeof typeNames }) {
  task.eventSequence += 1n;
  const event = create(TaskEventSchema, {
    eventId: newId(),
    sequence: task.eventSequence,
    occurTime: timestampFromDate(at),
    actorId,
    taskId: task.taskId,
    title: task.title,
    ownerId: task.ownerId,
    memberIds: [...memberIds],
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
