import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import { invalidArgument } from "#kit/errors.ts";
import { mustMatch } from "#kit/grpc/precondition.ts";
import type { CallContext, Unary } from "#kit/grpc/service.ts";
import { openTask, readTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { inside } from "../db/queries.ts";
import { lockTree } from "../db/tree.repository.ts";
import { changedFields, changedPaths, differences, type TaskInput } from "../domain/change.ts";
import { versionOf } from "../domain/etag.ts";
import { revised } from "../domain/revise.ts";
import { transition } from "../domain/status.ts";
import { Status, type Task } from "../domain/task.ts";
import { reportTaskCompleted, reportTaskUpdated } from "../metrics.ts";
import { homeZoneOf } from "../series.ts";
import { writeChange } from "../task-change.ts";
import { mustExist } from "../user-directory.ts";
import { inputFromProto, taskToProto } from "./convert.ts";

/** TaskService.UpdateTask */
export const updateTask =
  (ctx: TaskContext): Unary<typeof TaskService.method.updateTask> =>
  async (req, call) => {
    if (req.task === undefined || req.task.taskId === "") throw invalidArgument("task.task_id", "say which task");
    const { taskId, etag } = req.task;
    const input = inputFromProto(req.task);
    const paths = changedPaths(req.updateMask?.paths, input);
    const prepared = await prepare(ctx, call, { taskId, input, paths });

    const { before, after } = await ctx.db.transactional(
      async (em) => {
        if (prepared.treeOwnerId !== undefined) await lockTree(inside(em), prepared.treeOwnerId);
        const locked = await openTask(em, call, taskId, "change");
        mustMatch(call, etag, versionOf(locked.task));
        const fields = changedFields(locked.task, input, paths);
        if (differences(locked.task, fields).length === 0) return { before: locked.task, after: locked.task };
        const next = revised(locked.task, fields, ctx.clock.now());
        await writeChange(locked, next, { actorId: call.userId, homeZone: prepared.homeZone });
        return { before: locked.task, after: next };
      },
      { signal: call.signal },
    );

    report(before, after);
    return { task: taskToProto(after) };
  };

interface Wish {
  taskId: string;
  input: TaskInput;
  paths: readonly string[];
}

/** Asks others before anything is locked, and only when the change needs to know. */
async function prepare(
  ctx: TaskContext,
  call: CallContext,
  { taskId, input, paths }: Wish,
): Promise<{ treeOwnerId?: string; homeZone: string }> {
  const moves = paths.includes("parent_task_id");
  const assigns = paths.includes("assignee_ids") && input.assigneeIds.length > 0;
  const completes = paths.includes("status") && input.status === Status.DONE;
  if (!moves && !assigns && !completes) return { homeZone: "UTC" };

  const { task } = await readTask(ctx, call, taskId, "change");
  if (assigns) await mustExist(ctx.users, changedFields(task, input, ["assignee_ids"]).assigneeIds, call);
  const homeZone = completes ? await homeZoneOf(ctx, call, task) : "UTC";
  return moves ? { treeOwnerId: task.ownerId, homeZone } : { homeZone };
}

function report(before: Task, after: Task): void {
  if (before === after) return;
  if (transition(before.status, after.status) === "completed") reportTaskCompleted(after);
  else reportTaskUpdated(after);
}
