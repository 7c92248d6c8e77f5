import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import { isUniqueViolation } from "#kit/db/errors.ts";
import { invalidArgument } from "#kit/errors.ts";
import type { CallContext, Unary } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import type { TaskContext } from "../context.ts";
import { ownsLabels } from "../db/label.repository.ts";
import { inside, onItsOwn, type Run } from "../db/queries.ts";
import { insertTask } from "../db/task.repository.ts";
import { ancestorsOf, lockTree } from "../db/tree.repository.ts";
import { toFields } from "../domain/change.ts";
import { mustFitBelow } from "../domain/hierarchy.ts";
import { newTask } from "../domain/revise.ts";
import { Role, type Task } from "../domain/task.ts";
import { taskIdTaken } from "../errors.ts";
import { taskCreated } from "../events.ts";
import { reportTaskCreated } from "../metrics.ts";
import { mustExist } from "../user-directory.ts";
import { inputFromProto, taskToProto } from "./convert.ts";

/** TaskService.CreateTask */
export const createTask =
  (ctx: TaskContext): Unary<typeof TaskService.method.createTask> =>
  async (req, call) => {
    if (req.task === undefined) throw invalidArgument("task", "a task is needed");
    const fields = toFields(inputFromProto(req.task));
    const taskId = req.task.taskId.toLowerCase() || newId();
    const task = newTask(fields, { taskId, ownerId: call.userId, at: ctx.clock.now() });

    await checkReferences(ctx, call, task);
    await insert(ctx, call, task);

    reportTaskCreated(task);
    return { task: taskToProto(task) };
  };

async function checkReferences(ctx: TaskContext, call: CallContext, task: Task): Promise<void> {
  const { labelIds, assigneeIds, ownerId } = task;
  if (labelIds.length > 0 && !(await ownsLabels(onItsOwn(ctx.db, call.signal), ownerId, labelIds))) {
    throw invalidArgument("task.label_ids", "one of them is no label of yours");
  }
  await mustExist(ctx.users, assigneeIds, call);
}

async function insert(ctx: TaskContext, call: CallContext, task: Task): Promise<void> {
  const { taskId, ownerId, parentTaskId } = task;
  const assignees = task.assigneeIds.filter((userId) => userId !== ownerId);
  const members = [
    { userId: ownerId, role: Role.OWNER },
    ...assignees.map((userId) => ({ userId, role: Role.EDITOR })),
  ];
  const memberIds = members.map(({ userId }) => userId);
  const event = taskCreated({ task, memberIds, actorId: call.userId, at: task.createTime }, false);
  const write = (run: Run) => insertTask(run, task, members, event);
  try {
    if (parentTaskId === null) return await write(onItsOwn(ctx.db, call.signal));
    await ctx.db.transactional(
      async (em) => {
        const run = inside(em);
        await lockTree(run, ownerId);
        mustFitBelow({ taskId, ownerId, ancestors: await ancestorsOf(run, parentTaskId, call.userId), height: 1 });
        await write(run);
      },
      { signal: call.signal },
    );
  } catch (error) {
    // Whichever part of the statement comes first meets the other task.
    if (isUniqueViolation(error, "task_pkey") || isUniqueViolation(error, "collaborator_pkey")) throw taskIdTaken();
    throw error;
  }
}
