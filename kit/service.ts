import { startAdmin } from "#observability/admin.ts";
import { Identity } from "./auth/identity.ts";
import { meshTokenVerifier } from "./auth/mesh-token-verifier.ts";
import type { TokenVerifier } from "./auth/tokens.ts";
import { replicaReads } from "./consistency/interceptor.ts";
import { type Database, type DatabaseOptions, openDatabase } from "./db/database.ts";
import type { PartitionedTable } from "./db/partitions.ts";
import { kafkaPart } from "./events/kafka-probe.ts";
import { type EventProducer, openProducer } from "./events/producer.ts";
import { startRelay } from "./events/relay.ts";
import { MeshChannel } from "./grpc/client.ts";
import type { ServerInterceptor } from "./grpc/interceptors/interceptor.ts";
import { startGrpcServer } from "./grpc/server.ts";
import type { ServiceEntry } from "./grpc/service.ts";
import { Readiness } from "./health/readiness.ts";
import { idempotency } from "./idempotency/interceptor.ts";
import { startAnswerPurge } from "./idempotency/purge.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { openRedis, type Redis } from "./redis/redis.ts";
import type { BaseServiceConfig } from "./service-config.ts";

/** What every service has; the lifecycle owns all of it. */
export interface ServiceParts {
  readonly identity: Identity;
  readonly database: Database;
  readonly redis: Redis;
  readonly channel: MeshChannel;
  /** Shared with the relay. For records that are no events of the service's own: those go through the outbox. */
  readonly producer: EventProducer;
  readonly lifecycle: Lifecycle;
}

/** What a service makes of its parts. */
export interface ServiceFace {
  services: ServiceEntry[];
  /** Answers reads that it knows the answer of, before any database is asked. */
  cache?: ServerInterceptor | undefined;
  /** Links between the standard chain and the handlers, outermost first. */
  interceptors?: ServerInterceptor[];
  /** Does each call with an Idempotency-Key once; the innermost link. That of the kit unless given. */
  once?: ServerInterceptor;
  /** Keys and revocations from the auth service unless given. */
  tokens?: TokenVerifier;
}

export interface ServiceOptions extends Pick<DatabaseOptions, "entities" | "migrations"> {
  /** As its folder, its database and its events are named: "task". */
  name: string;
  /** Its tables whose partitions come and go with time. */
  partitioned?: readonly PartitionedTable[];
  open(parts: ServiceParts): ServiceFace | Promise<ServiceFace>;
}

/** Starts a service of the mesh, each in the same order; answers when it takes calls. */
export async function startMeshService(
  config: BaseServiceConfig,
  lifecycle: Lifecycle,
  { name, entities, migrations, partitioned = [], open }: ServiceOptions,
): Promise<{ port: number }> {
  const { instanceId, listen, kafka } = config;
  const identity = await Identity.load(config.mesh.identity);
  const database = await openDatabase({
    ...config.database,
    entities,
    migrations,
    lifecycle,
    applicationName: instanceId,
  });
  const producer = openProducer({ ...kafka, clientId: instanceId, lifecycle });
  startRelay({ database, source: name, producer, lifecycle, partitioned });
  startAnswerPurge(database, lifecycle);

  const channel = lifecycle.use("mesh", new MeshChannel(config.mesh.address), (opened) => opened.close());
  const redis = openRedis({ url: config.redis.url, lifecycle });
  const readiness = await Readiness.start(lifecycle, {
    // No call can be done without it. The others may be away: events wait in the outbox, and revocations are asked for.
    database: { check: () => database.ping(), required: true },
    redis: { check: () => redis.ping() },
    kafka: kafkaPart({ ...kafka, clientId: instanceId, lifecycle }),
  });
  const { host, grpcPort, adminPort } = listen;
  if (adminPort > 0) await startAdmin({ host, port: adminPort, lifecycle, readiness });
  const face = await open({ identity, database, redis, channel, producer, lifecycle });
  const { cache, interceptors = [], once = idempotency(database) } = face;
  const { issuer } = config.tokens;
  return startGrpcServer({
    host,
    port: grpcPort,
    services: face.services,
    identity,
    tokens: face.tokens ?? meshTokenVerifier({ channel, identity, redis, lifecycle, issuer }),
    lifecycle,
    readiness,
    overload: config.overload,
    interceptors: (standard) => [
      ...standard,
      ...(cache ? [cache] : []),
      ...replicaReadsOf(name, database, redis),
      ...interceptors,
      once,
    ],
  });
}

function replicaReadsOf(service: string, database: Database, redis: Redis): ServerInterceptor[] {
  const { replica } = database;
  return replica === undefined ? [] : [replicaReads({ service, database, replica, redis })];
}
