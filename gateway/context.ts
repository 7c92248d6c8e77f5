import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Identity } from "#kit/auth/identity.ts";
import { meshTokenVerifier } from "#kit/auth/mesh-token-verifier.ts";
import type { TokenVerifier } from "#kit/auth/tokens.ts";
import { MeshChannel } from "#kit/grpc/channel.ts";
import { type Forwarder, forwarder } from "#kit/grpc/raw-client.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import manifest from "../package.json" with { type: "json" };
import type { GatewayConfig } from "./config.ts";
import { MeshHealthBoard } from "./edge-health.ts";
import { type OwnService, ownServices } from "./own-services.ts";
import { isExposed, meshServices } from "./services.ts";
import { Transcoder } from "./transcoding/transcoder.ts";

const bodyLimit = 1024 * 1024;

/** Everything that the parts of the gateway share. */
export interface GatewayContext {
  readonly config: GatewayConfig;
  readonly version: string;
  readonly instanceId: string;
  readonly lifecycle: Lifecycle;
  readonly forwarder: Forwarder;
  readonly tokens: TokenVerifier;
  readonly transcoder: Transcoder;
  readonly meshHealth: MeshHealthBoard;
  /** The RPCs that are served. */
  readonly methods: readonly DescMethod[];
  /** The same by their path, "/task.v1.TaskService/GetTask". */
  readonly methodByPath: ReadonlyMap<string, DescMethod>;
  readonly ownServices: readonly OwnService[];
  /** Largest body, in bytes. */
  readonly bodyLimit: number;
}

export interface ContextOverrides {
  services?: readonly DescService[];
  identity?: Identity;
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
  const redis = config.redis && openRedis({ ...config.redis, lifecycle });
  const methods = services.flatMap((service) => service.methods.filter(isExposed));
  return {
    config,
    version: manifest.version,
    instanceId: config.instanceId,
    lifecycle,
    forwarder: mesh,
    tokens: meshTokenVerifier({ channel, identity, redis, lifecycle, issuer: config.tokens.issuer }),
    transcoder: new Transcoder(methods.filter((method) => method.methodKind === "unary")),
    meshHealth: new MeshHealthBoard(mesh),
    methods,
    methodByPath: new Map(methods.map((method) => [`/${method.parent.typeName}/${method.name}`, method])),
    ownServices: ownServices(services, lifecycle),
    bodyLimit,
  };
}
