import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import { openTask } from "../access.ts";
import type { TaskContext } from "../context.ts";
import { recordEvents } from "../db/activity.repository.ts";
import { type Comment, insertComment } from "../db/comment.repository.ts";
import { saveEventSequence } from "../db/task.repository.ts";
import { mustSaySomething } from "../domain/comment.ts";
import { commentAdded } from "../events.ts";
import { reportCommentCreated } from "../metrics.ts";
import { commentToProto } from "./convert.ts";

/** TaskService.CreateComment */
export const createComment =
  (ctx: TaskContext): Unary<typeof TaskService.method.createComment> =>
  async (req, call) => {
    mustSaySomething(req.text);
    const comment = await ctx.db.transactional(
      async (em): Promise<Comment> => {
        const { run, task, memberIds } = await openTask(em, call, req.taskId, "comment");
        const at = ctx.clock.now();
        const written = {
          commentId: newId(),
          taskId: task.taskId,
          authorId: call.userId,
          text: req.text,
          createTime: at,
        };
        await insertComment(run, written);
        const event = commentAdded({ task, memberIds, actorId: call.userId, at }, written, false);
        await saveEventSequence(run, task);
        await recordEvents(run, [event]);
        return written;
      },
      { signal: call.signal },
    );
    reportCommentCreated(comment);
    return { comment: commentToProto(comment) };
  };
