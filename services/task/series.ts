import type { CallContext } from "#kit/grpc/service.ts";
import type { TaskContext } from "./context.ts";
import type { Run } from "./db/queries.ts";
import { findSuccessor, insertTask } from "./db/task.repository.ts";
import { successorOf } from "./domain/revise.ts";
import type { Member, Task } from "./domain/task.ts";
import { taskCreated } from "./events.ts";

/** Where days are reckoned for a task whose next due follows from the day of completion and has no zone of its own. */
export async function homeZoneOf(ctx: TaskContext, call: CallContext, task: Task): Promise<string> {
  const isNeeded = task.recurrence?.fromCompletion && task.due !== null && task.due.timeZone === null;
  return isNeeded ? ctx.users.timeZoneOf(call.userId, call) : "UTC";
}

/** The next task of a done task's series: the one that is there already, or a new one; undefined when the series is over. */
export async function continueSeries(
  { run, collaborators }: { run: Run; collaborators: readonly Member[] },
  done: Task,
  { actorId, homeZone }: { actorId: string; homeZone: string },
): Promise<Task | undefined> {
  const existing = await findSuccessor(run, done);
  if (existing !== undefined) return existing;
  const next = successorOf(done, homeZone);
  if (next === undefined) return undefined;
  const memberIds = collaborators.map(({ userId }) => userId);
  const created = taskCreated({ task: next, memberIds, actorId, at: next.createTime }, true);
  await insertTask(run, next, collaborators, created);
  return next;
}
