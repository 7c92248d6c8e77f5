import type { FastifyInstance } from "fastify";
import { takeOutHeader } from "#kit/health/take-out.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";

/** While the gateway is about to stop, its answers tell the load balancer to take it out; the edge keeps that to itself. */
export function addTakeOut(app: FastifyInstance, lifecycle: Pick<Lifecycle, "stopping">): void {
  app.addHook("onRequest", async (_request, reply) => {
    if (lifecycle.stopping) reply.header(takeOutHeader, "true");
  });
}
