import type { FastifyReply, FastifyRequest } from "fastify";
import type { GatewayContext } from "../context.ts";
import type { HttpError } from "../errors/edge-error.ts";
import { sendProblem } from "./problems.ts";

/** Answers a request that is no call of any RPC, which counts as one of a stranger. OPTIONS hears which methods there are. */
export async function answerStray(
  { limits }: Pick<GatewayContext, "limits">,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  fault: HttpError,
): Promise<void> {
  try {
    await limits.countStray(request.edge);
  } catch (refusal) {
    return void sendProblem(request, reply, refusal);
  }
  if (request.method === "OPTIONS" && fault.status === 405) reply.code(204).headers(fault.headers).send();
  else sendProblem(request, reply, fault);
}
