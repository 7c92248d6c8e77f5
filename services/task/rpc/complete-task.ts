import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import { mustMatch } from "#kit/grpc/precondition.ts";
import type { Unary } from "#kit/grpc/service.ts";
import { openTask, readTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { findSuccessor } from "../db/task.repository.ts";
import { versionOf } from "../domain/etag.ts";
import { revised } from "../domain/revise.ts";
import { Status } from "../domain/task.ts";
import { reportTaskCompleted } from "../metrics.ts";
import { homeZoneOf } from "../series.ts";
import { writeChange } from "../task-change.ts";
import { taskToProto } from "./convert.ts";

/** TaskService.CompleteTask */
export const completeTask =
  (ctx: TaskContext): Unary<typeof TaskService.method.completeTask> =>
  async (req, call) => {
    const seen = await readTask(ctx, call, req.taskId, "change");
    const homeZone = await homeZoneOf(ctx, call, seen.task);

    const { task, next, isNew } = await ctx.db.transactional(
      async (em) => {
        const locked = await openTask(em, call, req.taskId, "change");
        mustMatch(call, req.etag, versionOf(locked.task));
        if (locked.task.status === Status.DONE) {
          return { task: locked.task, next: await findSuccessor(locked.run, locked.task), isNew: false };
        }
        const done = revised(locked.task, { ...locked.task, status: Status.DONE }, ctx.clock.now());
        const successor = await writeChange(locked, done, { actorId: call.userId, homeZone });
        return { task: done, next: successor, isNew: true };
      },
      { signal: call.signal },
    );

    if (isNew) reportTaskCompleted(task);
    return { task: taskToProto(task), nextTask: next && taskToProto(next) };
  };
