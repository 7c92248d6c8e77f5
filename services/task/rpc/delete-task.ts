import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import { mustMatch } from "#kit/grpc/precondition.ts";
import type { Unary } from "#kit/grpc/service.ts";
import { readTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { recordEvents } from "../db/activity.repository.ts";
import { inside } from "../db/queries.ts";
import { deleteTasks, lockTasks, lockTree, membersOf, subtreeOf } from "../db/tree.repository.ts";
import { versionOf } from "../domain/etag.ts";
import { taskNotFound } from "../errors.ts";
import { taskDeleted } from "../events.ts";
import { reportTasksDeleted } from "../metrics.ts";

/** TaskService.DeleteTask */
export const deleteTask =
  (ctx: TaskContext): Unary<typeof TaskService.method.deleteTask> =>
  async (req, call) => {
    const { task } = await readTask(ctx, call, req.taskId, "delete");
    const count = await ctx.db.transactional(
      async (em) => {
        const run = inside(em);
        await lockTree(run, task.ownerId);
        const { taskIds } = await subtreeOf(run, task.taskId);
        const tasks = await lockTasks(run, taskIds);
        const uppermost = tasks.find(({ taskId }) => taskId === task.taskId);
        if (uppermost === undefined) throw taskNotFound();
        mustMatch(call, req.etag, versionOf(uppermost));

        const members = await membersOf(run, taskIds);
        const at = ctx.clock.now();
        const events = tasks.map((gone) => {
          const memberIds = (members.get(gone.taskId) ?? []).map(({ userId }) => userId);
          return taskDeleted({ task: gone, memberIds, actorId: call.userId, at });
        });
        await deleteTasks(run, tasks, at);
        await recordEvents(run, events);
        return tasks.length;
      },
      { signal: call.signal },
    );
    reportTasksDeleted(task, count);
    return {};
  };
