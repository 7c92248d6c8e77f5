import type { TaskService } from "#gen/task/v1/task_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import type { TaskContext } from "../context.ts";
import { peersOf } from "../db/peers.repository.ts";
import { onItsOwn } from "../db/queries.ts";

/** TaskService.FindTaskPeers */
export const findTaskPeers =
  (ctx: TaskContext): Unary<typeof TaskService.method.findTaskPeers> =>
  async ({ userId, peerIds }, call) => ({ peerIds: await peersOf(onItsOwn(ctx.db, call.signal), userId, peerIds) });
