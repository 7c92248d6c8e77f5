import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { TokenVerifier } from "#kit/auth/tokens.ts";
import { systemClock } from "#kit/clock.ts";
import { type Database, openDatabase } from "#kit/db/database.ts";
import { openProducer } from "#kit/events/producer.ts";
import { startRelay } from "#kit/events/relay.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import { service, startGrpcServer } from "#kit/grpc/server.ts";
import { startAnswerPurge } from "#kit/idempotency/purge.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { startAdmin } from "#observability/admin.ts";
import type { AuthConfig } from "./config.ts";
import type { AuthContext } from "./context.ts";
import { entities, migrations } from "./db/mikro-orm.config.ts";
import { startHousekeeping } from "./housekeeping.ts";
import { keyedCalls } from "./keyed-calls.ts";
import { PasswordHasher } from "./passwords/hasher.ts";
import { keysToProto } from "./rpc/convert.ts";
import { rpc } from "./rpc/index.ts";
import { KeyRing } from "./tokens/key-ring.ts";
import { deriveKey } from "./tokens/sealing.ts";

/** Starts the service; answers when it takes calls. The lifecycle owns all that it opens. */
export async function startService(config: AuthConfig, lifecycle: Lifecycle): Promise<{ port: number }> {
  const identity = await Identity.load(config.mesh.identity);
  const database = await openDatabase({
    ...config.database,
    entities,
    migrations,
    lifecycle,
    applicationName: config.instanceId,
  });
  const ctx = await createContext(config, { identity, database, lifecycle });
  startHousekeeping(ctx, lifecycle);
  startAnswerPurge(database, lifecycle);
  const { brokers, partitions } = config.kafka;
  const producer = openProducer({ brokers, partitions, clientId: config.instanceId, lifecycle });
  startRelay({ database, source: "auth", producer, lifecycle });

  const { host, grpcPort, adminPort } = config.listen;
  const poolMax = config.database.pool.max;
  const checks = { database: () => database.ping() };
  if (adminPort > 0) await startAdmin({ host, port: adminPort, lifecycle, checks });
  return startGrpcServer({
    host,
    port: grpcPort,
    services: [service(AuthService, rpc(ctx))],
    identity,
    tokens: new TokenVerifier({
      issuer: config.tokens.issuer,
      fetchKeys: async () => keysToProto(await ctx.keys.published()),
      // A revoked session is still good for one thing here: to be logged out again.
    }),
    lifecycle,
    checks,
    interceptors: (standard) => [...standard, keyedCalls(database, { secret: config.keys.secret, poolMax })],
  });
}

interface Opened {
  identity: Identity;
  database: Database;
  lifecycle: Lifecycle;
}

async function createContext(config: AuthConfig, { identity, database, lifecycle }: Opened): Promise<AuthContext> {
  const { secret, rotation } = config.keys;
  const keys = new KeyRing({
    database,
    secret: deriveKey(secret, "taskmesh signing keys"),
    policy: { rotationMs: rotation * 1_000, tokenTtlMs: config.tokens.accessTtl * 1_000 },
    clock: systemClock,
  });
  await keys.refresh();
  const channel = lifecycle.use("mesh", new MeshChannel(config.mesh.address), (open) => open.close());
  return {
    database,
    redis: openRedis({ url: config.redis.url, lifecycle }),
    users: createClient(UserService, channel, { identity }),
    hasher: new PasswordHasher(deriveKey(secret, "taskmesh password salts"), config.passwords),
    keys,
    clock: systemClock,
    config: { tokens: config.tokens, revealAccounts: config.revealAccounts },
  };
}
