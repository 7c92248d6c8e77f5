import { setImmediate as nextTurn } from "node:timers/promises";
import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { EntityManager } from "#kit/db/database.ts";
import { invalidArgument } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { TaskContext } from "../context.ts";
import { recordEvents } from "../db/activity.repository.ts";
import { chunks, insertComments, insertTasks } from "../db/import.repository.ts";
import { countLabels, ensureLabels } from "../db/label.repository.ts";
import { inside } from "../db/queries.ts";
import { isTimeZone } from "../domain/due.ts";
import { labelKey } from "../domain/label-name.ts";
import { limits } from "../domain/task.ts";
import type { PlannedTask } from "../domain/todoist/import-plan.ts";
import { limitReached } from "../errors.ts";
import { toTasks } from "../import.ts";
import { reportTasksImported } from "../metrics.ts";

/** TaskService.ImportTasks */
export const importTasks =
  (ctx: TaskContext): Unary<typeof TaskService.method.importTasks> =>
  async (req, call) => {
    if (req.timeZone !== "" && !isTimeZone(req.timeZone)) {
      throw invalidArgument("time_zone", 'must be a time zone of the IANA data base, such as "Europe/Berlin"');
    }
    const now = ctx.clock.now();
    const breathe = async () => {
      await nextTurn();
      call.signal.throwIfAborted();
    };
    // The words of fourteen languages take 25 MB, so they come with the first import.
    const { planImport } = await import("../domain/todoist/import-plan.ts");
    const { tasks: plan, skipped } = await planImport(req.content, { timeZone: req.timeZone || "UTC", now, breathe });

    const taskIds = req.dryRun
      ? []
      : await ctx.db.transactional((em) => write(em, plan, { ownerId: call.userId, at: now }), { signal: call.signal });

    if (!req.dryRun) reportTasksImported(taskIds.length, skipped.length);
    return {
      importedCount: plan.length,
      taskIds,
      skipped: skipped.map(({ line, reason }) => ({ record: line, reason })),
    };
  };

async function write(
  em: EntityManager,
  plan: readonly PlannedTask[],
  { ownerId, at }: { ownerId: string; at: Date },
): Promise<string[]> {
  const run = inside(em);
  const labels = await ensureLabels(run, ownerId, [...new Set(plan.flatMap((task) => task.labels))], at);
  if ((await countLabels(run, ownerId)) > limits.labelsOfUser) {
    throw limitReached(`at most ${limits.labelsOfUser} labels are possible`);
  }
  const labelIds = new Map(labels.map(({ name, labelId }) => [labelKey(name), labelId]));
  const { tasks, comments, events } = toTasks(plan, { ownerId, at, labelIds });
  await insertTasks(run, tasks);
  await insertComments(run, comments);
  for (const chunk of chunks(events)) await recordEvents(run, chunk);
  return tasks.map(({ taskId }) => taskId);
}
