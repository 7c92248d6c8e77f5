import type { DescService, Message } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { type TestIssuer, testIdentities, testIssuer } from "#kit/auth/testing.ts";
import { ServiceError } from "#kit/errors.ts";
import { startGrpcServer } from "#kit/grpc/server.ts";
import type { CallContext, ServiceEntry } from "#kit/grpc/service.ts";
import { TestService } from "#kit/grpc/testing.ts";
import { Readiness } from "#kit/health/readiness.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import type { GatewayConfig } from "../../../gateway/config.ts";
import { createContext } from "../../../gateway/context.ts";
import { buildGateway, closeGateway } from "../../../gateway/server.ts";

/** A call as it came to a service. */
export interface Arrival {
  method: string;
  request: Message;
  call: CallContext;
}

// biome-ignore lint/suspicious/noExplicitAny: handlers of every method share one table here
type Handler = (request: any, call: CallContext) => unknown;

export type Protocol = "Connect JSON" | "Connect" | "gRPC-Web" | "gRPC";

/** A gateway before services that are played by the test; the mesh between them is one gRPC server. */
export interface Edge {
  /** Base URL for REST and Connect. */
  url: string;
  grpcUrl: string;
  issuer: TestIssuer;
  lifecycle: Lifecycle;
  /** How the services find what they need; one that throws is away. */
  parts: Record<"database" | "kafka", () => Promise<void>>;
  arrivals: Arrival[];
  /** What the services do, by "task.v1.TaskService/GetTask". */
  handlers: Map<string, Handler>;
  transports: Record<Protocol, Transport>;
  close(): Promise<void>;
}

const services: DescService[] = [AuthService, UserService, TaskService, NotificationService, TestService];

/** With one issuer several gateways know the same callers. */
export async function startEdge(settings: Partial<GatewayConfig> = {}, issuer = testIssuer()): Promise<Edge> {
  const identities = testIdentities(["gateway", "task"]);
  const lifecycle = new Lifecycle();
  const parts = { database: async () => {}, kafka: async () => {} };
  const arrivals: Arrival[] = [];
  const handlers = new Map<string, Handler>([
    ["auth.v1.AuthService/GetJwks", async () => ({ keys: [...issuer.jwks.keys] })],
  ]);
  const { port } = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    services: services.map((desc) => played(desc, handlers, arrivals)),
    identity: identities.task,
    tokens: issuer.verifier(),
    lifecycle,
    readiness: await Readiness.start(lifecycle, {
      database: { check: () => parts.database(), required: true },
      kafka: { check: () => parts.kafka() },
    }),
  });
  const config = gatewayConfig(`127.0.0.1:${port}`, settings);
  const context = await createContext(config, lifecycle, { services, identity: identities.gateway });
  const gateway = buildGateway(context);
  const url = await gateway.http.listen({ host: "127.0.0.1", port: 0 });
  const grpcUrl = await gateway.grpc.listen({ host: "127.0.0.1", port: 0 });
  lifecycle.ready = true;
  return {
    url,
    grpcUrl,
    issuer,
    lifecycle,
    parts,
    arrivals,
    handlers,
    transports: transportsTo(url, grpcUrl),
    close: async () => {
      await closeGateway(gateway);
      await lifecycle.stop();
    },
  };
}

function gatewayConfig(address: string, settings: Partial<GatewayConfig>): GatewayConfig {
  return {
    instanceId: "gateway-test",
    listen: { host: "127.0.0.1", httpPort: 0, grpcPort: 0, adminPort: 0 },
    mesh: { address, identity: { keyFile: "", jwksFile: "" } },
    tokens: { issuer: "taskmesh" },
    redis: undefined,
    limits: { limits: [], patienceMs: 50 },
    overload: undefined,
    trustedHops: 1,
    connections: { limit: Number.POSITIVE_INFINITY, longestMs: 60_000 },
    streams: { heartbeatMs: 15_000, patienceMs: 60_000 },
    cors: { origins: [] },
    refreshTokenTtl: 2_592_000,
    ...settings,
  };
}

function transportsTo(baseUrl: string, grpcUrl: string): Record<Protocol, Transport> {
  return {
    "Connect JSON": createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
    Connect: createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
    "gRPC-Web": createGrpcWebTransport({ baseUrl: grpcUrl, httpVersion: "2" }),
    gRPC: createGrpcTransport({ baseUrl: grpcUrl }),
  };
}

/** A service that notes each call and does what `handlers` says. */
function played(desc: DescService, handlers: Map<string, Handler>, arrivals: Arrival[]): ServiceEntry {
  const impl = desc.methods.map((method) => {
    const name = `${desc.typeName}/${method.name}`;
    const handle = (request: Message, call: CallContext) => {
      arrivals.push({ method: name, request, call });
      const handler = handlers.get(name);
      if (handler) return handler(request, call);
      throw new ServiceError({ reason: ErrorReason.UNKNOWN_METHOD, message: "nobody plays this" });
    };
    return [
      method.localName,
      method.methodKind === "unary" ? async (...args: Parameters<typeof handle>) => handle(...args) : handle,
    ];
  });
  return { desc, impl: Object.fromEntries(impl) };
}
