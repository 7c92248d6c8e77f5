import type { EntityManager } from "#kit/db/database.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import type { TaskContext } from "./context.ts";
import { inside, onItsOwn, type Run } from "./db/queries.ts";
import { collaboratorsOf, findTask, lockTask, type VisibleTask } from "./db/task.repository.ts";
import { type Act, mustBeAllowed } from "./domain/permission.ts";
import type { Collaborator, Role, Task } from "./domain/task.ts";
import { taskNotFound } from "./errors.ts";

/** A task that is locked for a change, with everybody who takes part in it. */
export interface LockedTask {
  em: EntityManager;
  run: Run;
  task: Task;
  /** What the caller may do. */
  role: Role;
  collaborators: Collaborator[];
  memberIds: string[];
}

/** Reads a task. Throws TASK_NOT_FOUND unless the caller may see it, PERMISSION_DENIED unless the role allows the act. */
export async function readTask(ctx: TaskContext, call: CallContext, taskId: string, act: Act): Promise<VisibleTask> {
  const found = await findTask(onItsOwn(ctx.db, call.signal), taskId, call.userId);
  if (found === undefined) throw taskNotFound();
  mustBeAllowed(found.role, act);
  return found;
}

/** The same inside a transaction, with the task locked, so that its events get the order of its changes. */
export async function openTask(em: EntityManager, call: CallContext, taskId: string, act: Act): Promise<LockedTask> {
  const run = inside(em);
  const task = await lockTask(run, taskId);
  if (task === undefined) throw taskNotFound();
  const collaborators = await collaboratorsOf(run, task.taskId);
  const own = collaborators.find(({ userId }) => userId === call.userId);
  if (own === undefined) throw taskNotFound();
  mustBeAllowed(own.role, act);
  return { em, run, task, role: own.role, collaborators, memberIds: collaborators.map(({ userId }) => userId) };
}
