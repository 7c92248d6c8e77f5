import type { FastifyInstance } from "fastify";
import type { GatewayContext } from "../context.ts";

/** Health over HTTP: whether the gateway runs, whether it takes calls, and how the services are. */
export async function healthPlugin(app: FastifyInstance, { context }: { context: GatewayContext }): Promise<void> {
  const { lifecycle, meshHealth, version, instanceId } = context;

  app.get("/health/live", async () => ({ status: "live" }));

  // Envoy asks this. It tells of the gateway alone: while a service is away, answers still have to come from somewhere.
  app.get("/health/ready", async (_request, reply) => {
    if (lifecycle.ready) return { status: "ready" };
    // With this header one answer is enough for Envoy; it would wait for more of them otherwise.
    reply.code(503).header("x-envoy-immediate-health-check-fail", "true");
    return { status: "not ready" };
  });

  app.get("/health/services", async (_request, reply) => {
    const { serving, services } = await meshHealth.read();
    reply.code(serving ? 200 : 503);
    return { status: serving ? "healthy" : "degraded", services };
  });

  app.get("/health", async (_request, reply) => {
    const { serving, services } = await meshHealth.read();
    const healthy = serving && lifecycle.ready;
    reply.code(healthy ? 200 : 503);
    const statuses = Object.fromEntries(Object.entries(services).map(([name, { status }]) => [name, status]));
    return {
      status: healthy ? "healthy" : "degraded",
      version,
      instance: instanceId,
      uptimeSeconds: Math.round(process.uptime()),
      services: statuses,
    };
  });
}
