import { createRegistry, type DescMethod, type DescService, type Registry } from "@bufbuild/protobuf";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { meshTokenVerifier } from "#kit/auth/mesh-token-verifier.ts";
import type { TokenVerifier } from "#kit/auth/tokens.ts";
import { MeshChannel } from "#kit/grpc/channel.ts";
import { createClient } from "#kit/grpc/client.ts";
import { type Forwarder, forwarder } from "#kit/grpc/raw-client.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { LoadShed } from "#kit/overload/load-shed.ts";
import { openRedis } from "#kit/redis/redis.ts";
import manifest from "../package.json" with { type: "json" };
import { ApiKeys } from "./api-keys.ts";
import type { GatewayConfig } from "./config.ts";
import { ConnectionCount } from "./connections/connection-count.ts";
import { MeshHealthBoard } from "./edge-health.ts";
import { EdgeLimits } from "./limits/edge-limits.ts";
import { Limiter } from "./limits/limiter.ts";
import { type OwnService, ownServices } from "./own-services.ts";
import { isExposed, meshServices } from "./services.ts";
import { StreamRegistry } from "./streams/stream-registry.ts";
import { Transcoder } from "./transcoding/transcoder.ts";

const bodyLimit = 1024 * 1024;
/** Half of what a service calls late: what is too much is refused here, before a service has had work with it. */
const lateShare = 0.025;

/** Everything that the parts of the gateway share. */
export interface GatewayContext {
  readonly config: GatewayConfig;
  readonly version: string;
  readonly instanceId: string;
  readonly lifecycle: Lifecycle;
  readonly forwarder: Forwarder;
  readonly tokens: TokenVerifier;
  readonly apiKeys: ApiKeys;
  readonly limits: EdgeLimits;
  /** Refuses what is more than this process can do; undefined where all is taken. */
  readonly load: LoadShed | undefined;
  /** How many connections each address has. */
  readonly connections: ConnectionCount;
  /** Tells of the streams that are open. */
  readonly streams: StreamRegistry;
  readonly transcoder: Transcoder;
  readonly meshHealth: MeshHealthBoard;
  /** How each service finds its database. */
  readonly databaseHealth: MeshHealthBoard;
  /** The same for Kafka. */
  readonly kafkaHealth: MeshHealthBoard;
  /** SERVING, or UNUSED without REDIS_URL. Throws while Redis is away. */
  readonly pingRedis: () => Promise<string>;
  /** The RPCs that are served. */
  readonly methods: readonly DescMethod[];
  /** The same by their path, "/task.v1.TaskService/GetTask". */
  readonly methodByPath: ReadonlyMap<string, DescMethod>;
  /** The types that JSON may have inside of a google.protobuf.Any. */
  readonly registry: Registry;
  readonly ownServices: readonly OwnService[];
  /** Largest body, in bytes. */
  readonly bodyLimit: number;
  readonly openness: Openness;
}

export interface ContextOverrides {
  services?: readonly DescService[];
  identity?: Identity;
  bodyLimit?: number;
  openness?: Openness;
}

/** What crosses the edge only where the protocols themselves are on test. */
export interface Openness {
  /** Which request headers go along to the service, beside those that always do. */
  passes?: RegExp;
  /** Errors of RPCs are told in the service's own words, faults too, and without the reason that we add. */
  bareErrors?: boolean;
}

/** Connects to the mesh and prepares all that is made once. */
export async function createContext(
  config: GatewayConfig,
  lifecycle: Lifecycle,
  overrides: ContextOverrides = {},
): Promise<GatewayContext> {
  const services = overrides.services ?? Object.values(meshServices);
  const identity = overrides.identity ?? (await Identity.load(config.mesh.identity));
  const channel = lifecycle.use("mesh", new MeshChannel(config.mesh.address), (open) => open.close());
  const mesh = forwarder({ channel, identity });
  const auth = createClient(AuthService, channel, { identity });
  const redis = config.redis && openRedis({ ...config.redis, lifecycle });
  // Apart, for its commands have a time limit of the limiter's own, which does not count when this process is busy.
  const counts =
    config.redis && openRedis({ ...config.redis, lifecycle, commandTimeoutMs: 20 * config.limits.patienceMs });
  const limiter = new Limiter({ ...config.limits, redis: counts, lifecycle });
  await limiter.begin();
  const methods = services.flatMap((service) => service.methods.filter(isExposed));
  const meshHealth = new MeshHealthBoard(mesh);
  return {
    config,
    version: manifest.version,
    instanceId: config.instanceId,
    lifecycle,
    forwarder: mesh,
    tokens: meshTokenVerifier({ channel, identity, redis, lifecycle, issuer: config.tokens.issuer }),
    apiKeys: new ApiKeys((key) => auth.exchangeApiKey({ key })),
    connections: new ConnectionCount({ redis, ...config.connections }),
    streams: new StreamRegistry({ redis, instanceId: config.instanceId, lifecycle }),
    limits: new EdgeLimits(config.limits.limits, limiter),
    load: config.overload && new LoadShed(config.overload, lifecycle, lateShare),
    transcoder: new Transcoder(
      methods.filter(({ methodKind }) => methodKind === "unary" || methodKind === "server_streaming"),
    ),
    meshHealth,
    databaseHealth: new MeshHealthBoard(mesh, "database"),
    kafkaHealth: new MeshHealthBoard(mesh, "kafka"),
    pingRedis: async () => (redis === undefined ? "UNUSED" : redis.ping().then(() => "SERVING")),
    methods,
    methodByPath: new Map(methods.map((method) => [`/${method.parent.typeName}/${method.name}`, method])),
    registry: createRegistry(...new Set(services.map(({ file }) => file))),
    ownServices: ownServices(services, { lifecycle, meshHealth }),
    bodyLimit: overrides.bodyLimit ?? bodyLimit,
    openness: overrides.openness ?? {},
  };
}
