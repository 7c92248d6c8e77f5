import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import { readTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { onItsOwn } from "../db/queries.ts";
import { collaboratorsOf } from "../db/task.repository.ts";
import { collaboratorToProto } from "./convert.ts";

/** TaskService.ListCollaborators */
export const listCollaborators =
  (ctx: TaskContext): Unary<typeof TaskService.method.listCollaborators> =>
  async (req, call) => {
    const { task } = await readTask(ctx, call, req.taskId, "see");
    const collaborators = await collaboratorsOf(onItsOwn(ctx.db, call.signal), task.taskId);
    const people = await ctx.users.find(
      collaborators.map(({ userId }) => userId),
      call,
    );
    return {
      collaborators: collaborators.map((collaborator) =>
        collaboratorToProto(collaborator, people.get(collaborator.userId)?.displayName ?? ""),
      ),
    };
  };
