import { newId } from "#kit/id.ts";
import type { RecordedEvent } from "./db/activity.repository.ts";
import type { Comment } from "./db/comment.repository.ts";
import { labelKey } from "./domain/label-name.ts";
import { newTask } from "./domain/revise.ts";
import { Status, type Task } from "./domain/task.ts";
import type { PlannedTask } from "./domain/todoist/import-plan.ts";
import { commentAdded, taskCreated } from "./events.ts";

export interface ImportedTasks {
  tasks: Task[];
  comments: Comment[];
  events: RecordedEvent[];
}

export interface Importer {
  ownerId: string;
  at: Date;
  /** The owner's labels by what names are compared by. */
  labelIds: ReadonlyMap<string, string>;
}

/**
 * The tasks, comments and events of a plan. Each comes a millisecond after the one before, the last at the time of the
 * import, so that lists show them in the order of the file.
 */
export function toTasks(plan: readonly PlannedTask[], { ownerId, at, labelIds }: Importer): ImportedTasks {
  const imported: ImportedTasks = { tasks: [], comments: [], events: [] };
  const count = plan.reduce((sum, { comments }) => sum + 1 + comments.length, 0);
  let time = at.getTime() - count;
  const next = () => new Date(++time);

  for (const planned of plan) {
    const parent = planned.parent === undefined ? undefined : imported.tasks[planned.parent];
    const task = newTask(fieldsOf(planned, parent, labelIds), { taskId: newId(), ownerId, at: next() });
    const occasion = { task, memberIds: [ownerId], actorId: ownerId };
    imported.tasks.push(task);
    imported.events.push(taskCreated({ ...occasion, at: task.createTime }, true));
    for (const text of planned.comments) {
      const comment = { commentId: newId(), taskId: task.taskId, authorId: ownerId, text, createTime: next() };
      imported.comments.push(comment);
      imported.events.push(commentAdded({ ...occasion, at: comment.createTime }, comment, true));
    }
  }
  return imported;
}

function fieldsOf(planned: PlannedTask, parent: Task | undefined, labelIds: ReadonlyMap<string, string>) {
  const { title, description, priority, due, recurrence, labels } = planned;
  const ids = labels.map((name) => labelIds.get(labelKey(name))).filter((id) => id !== undefined);
  return {
    title,
    description,
    status: Status.OPEN,
    priority,
    due,
    parentTaskId: parent?.taskId ?? null,
    labelIds: [...new Set(ids)],
    assigneeIds: [],
    recurrence,
  };
}
