import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { meshTokenVerifier } from "#kit/auth/mesh-token-verifier.ts";
import { openDatabase } from "#kit/db/database.ts";
import { openProducer } from "#kit/events/producer.ts";
import { startRelay } from "#kit/events/relay.ts";
import { MeshChannel } from "#kit/grpc/client.ts";
import { etagInterceptors } from "#kit/grpc/interceptors/require-etag.ts";
import { service, startGrpcServer } from "#kit/grpc/server.ts";
import { idempotency } from "#kit/idempotency/interceptor.ts";
import { startAnswerPurge } from "#kit/idempotency/purge.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { startAdmin } from "#observability/admin.ts";
import type { NotificationConfig } from "./config.ts";
import { createContext } from "./context.ts";
import { entities, migrations } from "./db/mikro-orm.config.ts";
import { rpc } from "./rpc/index.ts";

/** Starts the service; answers when it takes calls. The lifecycle owns all that it opens. */
export async function startService(config: NotificationConfig, lifecycle: Lifecycle): Promise<{ port: number }> {
  const identity = await Identity.load(config.mesh.identity);
  const database = await openDatabase({
    ...config.database,
    entities,
    migrations,
    lifecycle,
    applicationName: config.instanceId,
  });
  const { brokers, partitions } = config.kafka;
  const producer = openProducer({ brokers, partitions, clientId: config.instanceId, lifecycle });
  startRelay({ database, source: "notification", producer, lifecycle });
  startAnswerPurge(database, lifecycle);

  const channel = lifecycle.use("mesh", new MeshChannel(config.mesh.address), (open) => open.close());
  const redis = openRedis({ url: config.redis.url, lifecycle });
  const { host, grpcPort, adminPort } = config.listen;
  const checks = { database: () => database.ping() };
  if (adminPort > 0) await startAdmin({ host, port: adminPort, lifecycle, checks });
  return startGrpcServer({
    host,
    port: grpcPort,
    services: [service(NotificationService, rpc(createContext(config, { database, redis, lifecycle })))],
    identity,
    tokens: meshTokenVerifier({ channel, identity, redis, lifecycle, issuer: config.tokens.issuer }),
    lifecycle,
    checks,
    interceptors: (standard) => [...standard, ...etagInterceptors(config.etagMode), idempotency(database)],
  });
}
