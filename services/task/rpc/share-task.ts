import type { ShareTaskRequest, TaskService } from "#gen/task/v1/task_service_pb.js";
import { invalidArgument } from "#kit/errors.ts";
import { mustMatch } from "#kit/grpc/precondition.ts";
import type { CallContext, Unary } from "#kit/grpc/service.ts";
import { type LockedTask, openTask, readTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { recordEvents } from "../db/activity.repository.ts";
import { addCollaborators, saveEventSequence } from "../db/task.repository.ts";
import { versionOf } from "../domain/etag.ts";
import { limits, type Role } from "../domain/task.ts";
import { limitReached } from "../errors.ts";
import { taskShared } from "../events.ts";
import { reportTaskShared } from "../metrics.ts";
import type { Person } from "../user-directory.ts";
import { collaboratorToProto, roleFromProto } from "./convert.ts";

/** TaskService.ShareTask */
export const shareTask =
  (ctx: TaskContext): Unary<typeof TaskService.method.shareTask> =>
  async (req, call) => {
    if ((req.email === "") === (req.userId === "")) throw invalidArgument("user_id", "give either email or user_id");
    const role = roleFromProto(req.role);
    const { task } = await readTask(ctx, call, req.taskId, "share");
    const person = await personOf(ctx, call, req);
    if (person.userId === task.ownerId) {
      throw invalidArgument(req.email === "" ? "user_id" : "email", "the task is this person's own");
    }

    const { createTime, isNews } = await ctx.db.transactional(
      async (em) => {
        const locked = await openTask(em, call, req.taskId, "share");
        mustMatch(call, req.etag, versionOf(locked.task));
        return admit(locked, person.userId, { role, at: ctx.clock.now() });
      },
      { signal: call.signal },
    );

    if (isNews) reportTaskShared(task);
    return { collaborator: collaboratorToProto({ userId: person.userId, role, createTime }, person.displayName) };
  };

function personOf(ctx: TaskContext, call: CallContext, { email, userId }: ShareTaskRequest): Promise<Person> {
  return email === "" ? ctx.users.get(userId.toLowerCase(), call) : ctx.users.findByEmail(email, call);
}

/** Adds somebody or changes the role; nothing happens when it is the same already. */
async function admit(
  { run, task, collaborators, memberIds }: LockedTask,
  userId: string,
  { role, at }: { role: Role; at: Date },
): Promise<{ createTime: Date; isNews: boolean }> {
  const known = collaborators.find((collaborator) => collaborator.userId === userId);
  if (known?.role === role) return { createTime: known.createTime, isNews: false };
  if (known === undefined && collaborators.length >= limits.collaborators) {
    throw limitReached(`at most ${limits.collaborators} people can take part in a task`);
  }
  await addCollaborators(run, task, { userIds: [userId], role, at });
  const occasion = { task, memberIds: [...new Set([...memberIds, userId])], actorId: task.ownerId, at };
  const event = taskShared(occasion, { userId, role, roleChanged: known !== undefined });
  await saveEventSequence(run, task);
  await recordEvents(run, [event]);
  return { createTime: known?.createTime ?? at, isNews: true };
}
