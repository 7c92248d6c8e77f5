import type { FastifyInstance } from "fastify";
import type { GatewayContext } from "../context.ts";

/** The root: what this is and where to go from here. */
export async function indexPlugin(app: FastifyInstance, { context }: { context: GatewayContext }): Promise<void> {
  const index = {
    name: "taskmesh",
    version: context.version,
    links: {
      openapi: "/openapi.json",
      docs: "/docs",
      health: "/health",
      keys: "/.well-known/jwks.json",
      tasks: "/v1/tasks",
      register: "/v1/auth/register",
      login: "/v1/auth/login",
    },
  };
  app.get("/", async () => index);
}
