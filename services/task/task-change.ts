import { invalidArgument } from "#kit/errors.ts";
import type { LockedTask } from "./access.ts";
import { type RecordedEvent, recordEvents } from "./db/activity.repository.ts";
import { ownsLabels } from "./db/label.repository.ts";
import { endSnoozes } from "./db/reminder.repository.ts";
import { addCollaborators, saveTask } from "./db/task.repository.ts";
import { ancestorsOf, subtreeOf } from "./db/tree.repository.ts";
import { newEditors } from "./domain/assignment.ts";
import { differences } from "./domain/change.ts";
import { mustFitBelow } from "./domain/hierarchy.ts";
import { transition } from "./domain/status.ts";
import { limits, type Member, Role, Status, type Task } from "./domain/task.ts";
import { limitReached, wrongState } from "./errors.ts";
import { type Occasion, taskCompleted, taskReopened, taskUpdated } from "./events.ts";
import { continueSeries } from "./series.ts";

export interface Actor {
  actorId: string;
  homeZone: string;
}

/** Writes the next state of a locked task with all that follows from it. Answers with the next of its series, if one came. */
export async function writeChange(locked: LockedTask, next: Task, actor: Actor): Promise<Task | undefined> {
  const { em, run, task } = locked;
  const step = transition(task.status, next.status);
  if (step === "refused") throw wrongState(refusal[task.status] ?? "the task cannot change to this status");
  await mustReferToWhatIsThere(locked, next, actor.actorId);

  const collaborators = await admitAssignees(locked, next);
  const memberIds = collaborators.map(({ userId }) => userId);
  const successor = step === "completed" ? await continueSeries({ em, run, collaborators }, next, actor) : undefined;
  const events = eventsOf(task, { task: next, memberIds, actorId: actor.actorId, at: next.updateTime }, successor);
  await saveTask(run, next);
  if (differences(task, next).includes("due")) await endSnoozes(run, task.taskId);
  await recordEvents(run, events);
  return successor;
}

const refusal: Partial<Record<Status, string>> = {
  [Status.DONE]: "the task is done; reopen it before you cancel it",
  [Status.CANCELLED]: "the task is cancelled; reopen it before you complete it",
};

async function mustReferToWhatIsThere({ run, task }: LockedTask, next: Task, userId: string): Promise<void> {
  const changed = differences(task, next);
  const { taskId, ownerId, labelIds, parentTaskId } = next;
  if (changed.includes("label_ids") && labelIds.length > 0 && !(await ownsLabels(run, ownerId, labelIds))) {
    throw invalidArgument("task.label_ids", "one of them is no label of the task's owner");
  }
  if (!changed.includes("parent_task_id") || parentTaskId === null) return;
  const ancestors = await ancestorsOf(run, parentTaskId, userId);
  const { height } = await subtreeOf(run, taskId);
  mustFitBelow({ taskId, ownerId, ancestors, height });
}

/** Makes editors of those who are newly to do the task. Answers with everybody who takes part then. */
async function admitAssignees({ run, task, role, collaborators }: LockedTask, next: Task): Promise<Member[]> {
  const editors = newEditors(added(task, next), collaborators, role);
  const others = collaborators.filter(({ userId }) => !editors.includes(userId));
  const everybody = [...others, ...editors.map((userId) => ({ userId, role: Role.EDITOR }))];
  if (everybody.length > limits.collaborators) throw limitReached("too many people take part in the task");
  await addCollaborators(run, next, { userIds: editors, role: Role.EDITOR, at: next.updateTime });
  return everybody;
}

function eventsOf(before: Task, occasion: Occasion, successor: Task | undefined): RecordedEvent[] {
  const { task } = occasion;
  const step = transition(before.status, task.status);
  const changed = differences(before, task).filter((field) => field !== "status" || step === "moved");
  const events: RecordedEvent[] = [];
  if (changed.length > 0) events.push(taskUpdated(occasion, changed, added(before, task)));
  if (step === "completed") events.push(taskCompleted(occasion, successor?.taskId));
  if (step === "reopened") events.push(taskReopened(occasion));
  return events;
}

function added(before: Task, after: Task): string[] {
  return after.assigneeIds.filter((userId) => !before.assigneeIds.includes(userId));
}
