import type { FastifyInstance } from "fastify";
import { takeOutHeader } from "#kit/health/take-out.ts";
import type { GatewayContext } from "../context.ts";
import { healthOf, type MeshHealth } from "../edge-health.ts";
import { recentRequests } from "../metrics.ts";

/** Costs less than counting it would, and a probe must be answered. */
const uncounted = { config: { countsItself: true } };

/**
 * Health over HTTP: whether the gateway runs, whether it takes calls, and how the parts behind it are, each with how
 * long it took to answer. 200 while all of them serve, else 503.
 */
export async function healthPlugin(app: FastifyInstance, { context }: { context: GatewayContext }): Promise<void> {
  const { lifecycle, meshHealth, databaseHealth, kafkaHealth, version, instanceId } = context;
  const pingRedis = () => healthOf(context.pingRedis);

  app.get("/health/live", uncounted, async () => ({ status: "live" }));

  // Envoy asks this. It tells of the gateway alone: while a service is away, answers still have to come from somewhere.
  app.get("/health/ready", uncounted, async (_request, reply) => {
    if (lifecycle.ready) return { status: "ready" };
    // With this header one answer is enough for Envoy; it would wait for more of them otherwise.
    reply.code(503).header(takeOutHeader, "true");
    return { status: "not ready" };
  });

  app.get("/health/services", async (_request, reply) => {
    const { serving, parts } = await meshHealth.read();
    reply.code(serving ? 200 : 503);
    return { status: word(serving), services: parts };
  });

  app.get("/health/database", async (_request, reply) => {
    const { serving, parts } = await databaseHealth.read();
    reply.code(serving ? 200 : 503);
    return { status: word(serving), databases: parts };
  });

  app.get("/health/redis", async (_request, reply) => {
    const redis = await pingRedis();
    const serving = redis.status !== "UNAVAILABLE";
    reply.code(serving ? 200 : 503);
    return { status: word(serving), redis };
  });

  app.get("/health/metrics", async () => ({ instance: instanceId, ...recentRequests.summary() }));

  app.get("/health", async (_request, reply) => {
    const boards = [meshHealth.read(), databaseHealth.read(), kafkaHealth.read()] as const;
    const [services, databases, seenKafka, redis] = await Promise.all([...boards, pingRedis()]);
    const kafka = oneFor(seenKafka);
    // Nobody is refused while Redis or Kafka is away, so that they alone make no 503.
    const serving = services.serving && databases.serving && lifecycle.ready;
    reply.code(serving ? 200 : 503);
    return {
      status: word(serving && kafka === "SERVING" && redis.status !== "UNAVAILABLE"),
      version,
      instance: instanceId,
      uptimeSeconds: Math.round(process.uptime()),
      services: statuses(services.parts),
      databases: statuses(databases.parts),
      redis: redis.status,
      kafka,
    };
  });
}

/** Of a part that all services share: there when one of them reaches it. */
function oneFor({ parts }: MeshHealth): string {
  const seen = Object.values(parts).map(({ status }) => status);
  return ["SERVING", "NOT_SERVING"].find((status) => seen.includes(status)) ?? "UNAVAILABLE";
}

const word = (serving: boolean) => (serving ? "healthy" : "degraded");

function statuses(parts: Record<string, { status: string }>): Record<string, string> {
  return Object.fromEntries(Object.entries(parts).map(([name, { status }]) => [name, status]));
}
