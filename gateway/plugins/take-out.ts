import type { FastifyInstance } from "fastify";
import type { Lifecycle } from "#kit/lifecycle.ts";

/** Envoy takes out the instance whose answer has this header, without waiting for the next look at its health. */
export const takeOutHeader = "x-envoy-immediate-health-check-fail";

/** While the gateway is about to stop, its answers tell the load balancer to take it out; the edge keeps that to itself. */
export function addTakeOut(app: FastifyInstance, lifecycle: Pick<Lifecycle, "stopping">): void {
  app.addHook("onRequest", async (_request, reply) => {
    if (lifecycle.stopping) reply.header(takeOutHeader, "true");
  });
}
