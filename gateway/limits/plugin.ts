import type { FastifyInstance } from "fastify";
import type { GatewayContext } from "../context.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The route counts its calls by itself, or answers without being counted. */
    countsItself?: boolean;
  }
}

/** Counts the requests of every route that does not do so itself: pages of the edge's own. */
export function addPageLimits(app: FastifyInstance, { limits }: Pick<GatewayContext, "limits">): void {
  app.addHook("onRequest", async ({ routeOptions, edge }) => {
    if (!routeOptions.config.countsItself) await limits.countPage(edge);
  });
}
