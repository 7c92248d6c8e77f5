import type { EntityManager } from "#kit/db/database.ts";
import { appendOutboxAll } from "#kit/events/outbox.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import type { TaskContext } from "./context.ts";
import type { Run } from "./db/queries.ts";
import { carryReminders } from "./db/reminder.repository.ts";
import { findSuccessor, insertTask, saveEventSequence } from "./db/task.repository.ts";
import { successorOf } from "./domain/revise.ts";
import type { Member, Task } from "./domain/task.ts";
import { type Occasion, reminderSet, taskCreated } from "./events.ts";

/** Where days are reckoned for a task whose next due follows from the day of completion and has no zone of its own. */
export async function homeZoneOf(ctx: TaskContext, call: CallContext, task: Task): Promise<string> {
  const isNeeded = task.recurrence?.fromCompletion && task.due !== null && task.due.timeZone === null;
  return isNeeded ? ctx.users.timeZoneOf(call.userId, call) : "UTC";
}

interface Taking {
  em: EntityManager;
  run: Run;
  collaborators: readonly Member[];
}

/** The next task of a done task's series: the one that is there already, or a new one; undefined when the series is over. */
export async function continueSeries(
  { em, run, collaborators }: Taking,
  done: Task,
  { actorId, homeZone }: { actorId: string; homeZone: string },
): Promise<Task | undefined> {
  const existing = await findSuccessor(run, done);
  if (existing !== undefined) return existing;
  const next = successorOf(done, homeZone);
  if (next === undefined) return undefined;
  const memberIds = collaborators.map(({ userId }) => userId);
  const occasion = { task: next, memberIds, actorId, at: next.createTime };
  await insertTask(run, next, collaborators, taskCreated(occasion, true));
  await remindAgain({ em, run }, done, occasion);
  return next;
}

/** Who goes by the due of a task goes by that of the next one, too. */
async function remindAgain({ em, run }: Pick<Taking, "em" | "run">, done: Task, occasion: Occasion): Promise<void> {
  const { task, at } = occasion;
  const carried = await carryReminders(run, { from: done.taskId, to: task.taskId, at });
  if (carried.length === 0) return;
  const events = carried.map((reminder) => reminderSet(occasion, reminder));
  await saveEventSequence(run, task);
  await appendOutboxAll(em, events);
}
