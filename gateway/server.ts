import type { IncomingHttpHeaders } from "node:http";
import { createServer, type ServerOptions } from "node:http2";
import type { Server as NetServer, Socket } from "node:net";
import fastify, { type FastifyInstance } from "fastify";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { listenFault } from "#kit/listen-fault.ts";
import { startAdmin } from "#observability/admin.ts";
import type { GatewayConfig } from "./config.ts";
import { connectionLogPlugin } from "./connections/log-plugin.ts";
import { answerQuestions } from "./connections/question.ts";
import { createContext, type GatewayContext } from "./context.ts";
import { keepEncodedPath, requestIdOf } from "./edge-call.ts";
import { addPageLimits } from "./limits/plugin.ts";
import { openApiPlugin } from "./openapi/plugin.ts";
import { compressAnswers } from "./plugins/compress-answers.ts";
import { connectPlugin } from "./plugins/connect.ts";
import { addCors } from "./plugins/cors.ts";
import { healthPlugin } from "./plugins/health.ts";
import { indexPlugin } from "./plugins/index-page.ts";
import { addProblems, answerBrokenHttp, answerEarlyFault } from "./plugins/problems.ts";
import { addRequestContext } from "./plugins/request-context.ts";
import { restPlugin } from "./plugins/rest.ts";
import { addTakeOut } from "./plugins/take-out.ts";
import { SessionCookies } from "./session-cookie/session-cookie.ts";
import { routeUpgrades, shouldUpgrade } from "./streams/handshake.ts";

const sweepMs = 100;

/** One connection carries the calls of many clients: what is bounded for each connection here counts them together. */
const http2Options: ServerOptions = {
  settings: { maxConcurrentStreams: 10_000, initialWindowSize: 256 * 1024 },
  maxSessionMemory: 256,
  // Clients that go away reset their streams; Envoy bounds the rate for each of them.
  streamResetBurst: 50_000,
  streamResetRate: 10_000,
};

export interface Gateway {
  /** HTTP/1.1: REST, Connect, and what browsers speak. */
  http: FastifyInstance;
  /** HTTP/2 without TLS: gRPC and gRPC-Web. */
  grpc: FastifyInstance;
  /** Open connections of each. */
  connections: Record<"http" | "grpc", ReadonlySet<Socket>>;
}

/** Builds both faces of the gateway, which serve the same; neither listens yet. */
export function buildGateway(context: GatewayContext): Gateway {
  const options = {
    bodyLimit: context.bodyLimit,
    genReqId: ({ headers }: { headers: IncomingHttpHeaders }) => requestIdOf(headers),
    requestIdHeader: false as const,
    rewriteUrl: keepEncodedPath,
    requestTimeout: 60_000,
    // Longer than Envoy keeps an idle connection, so that it never sends into one that is being closed.
    keepAliveTimeout: 3_700_000,
    return503OnClosing: false,
    frameworkErrors: answerEarlyFault as never,
  };
  const http = fastify({
    ...options,
    forceCloseConnections: "idle",
    clientErrorHandler: answerBrokenHttp,
    http: { shouldUpgradeCallback: shouldUpgrade },
  });
  const grpc = fastify({
    ...options,
    http2: true,
    serverFactory: (calls) => createServer(http2Options, answerQuestions(context.connections, calls)),
  });
  for (const app of [http, grpc as unknown as FastifyInstance]) addParts(app, context);
  grpc.register(connectionLogPlugin as never, { count: context.connections });
  routeUpgrades(http);
  const connections = { http: connectionsOf(http.server), grpc: connectionsOf(grpc.server) };
  return { http, grpc: grpc as unknown as FastifyInstance, connections };
}

function connectionsOf(server: NetServer): ReadonlySet<Socket> {
  const connections = new Set<Socket>();
  server.on("connection", (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  return connections;
}

function addParts(app: FastifyInstance, context: GatewayContext): void {
  const { config } = context;
  const { trustedHops, cors, refreshTokenTtl } = config;
  const sessionCookies = new SessionCookies({ trustedHops, origins: cors.origins, lifetime: refreshTokenTtl });
  addTakeOut(app, context.lifecycle);
  addRequestContext(app, { trustedHops, sessionCookies });
  addCors(app, config.cors.origins);
  addProblems(app);
  addPageLimits(app, context);
  compressAnswers(app);
  app.register(indexPlugin, { context });
  app.register(openApiPlugin, { context });
  app.register(healthPlugin, { context });
  app.register(connectPlugin, { context });
  app.register(restPlugin, { context });
}

/** Ends both faces: calls under way are finished first. */
export async function closeGateway({ http, grpc, connections }: Gateway): Promise<void> {
  // fastify closes what is idle when it is told to. Others become idle later, and those never used are not idle to Node.
  const sweep = setInterval(() => {
    http.server.closeIdleConnections();
    for (const socket of connections.http) if (socket.bytesRead === 0) socket.destroy();
  }, sweepMs);
  try {
    await Promise.all([http.close(), grpc.close()]);
  } finally {
    clearInterval(sweep);
  }
}

/** Starts a gateway that the lifecycle stops: it takes no new calls, ends those under way, then closes. */
export async function startGateway(
  config: GatewayConfig,
  lifecycle: Lifecycle,
): Promise<{ httpPort: number; grpcPort: number }> {
  const context = await createContext(config, lifecycle);
  const gateway = buildGateway(context);
  const { host, httpPort, grpcPort, adminPort } = config.listen;
  const ports = {
    httpPort: await listen(gateway.http, { host, port: httpPort, variable: "GATEWAY_HTTP_PORT" }),
    grpcPort: await listen(gateway.grpc, { host, port: grpcPort, variable: "GATEWAY_GRPC_PORT" }),
  };
  lifecycle.use("gateway", gateway.connections, ({ http, grpc }) => {
    for (const socket of [...http, ...grpc]) socket.destroy();
  });
  lifecycle.onDrain("gateway", async () => {
    const { http, grpc } = gateway.connections;
    // Envoy learns from /health/ready that no new calls are wanted; until it has, they are still served.
    await lifecycle.untilHeard(() => http.size + grpc.size === 0);
    await closeGateway(gateway);
  });
  if (adminPort !== 0) await startAdmin({ host, port: adminPort, lifecycle });
  return ports;
}

async function listen(
  app: FastifyInstance,
  { host, port, variable }: { host: string; port: number; variable: string },
): Promise<number> {
  await app.listen({ host, port }).catch((error) => {
    throw listenFault(error, port, variable);
  });
  const address = app.server.address();
  return typeof address === "object" && address ? address.port : port;
}
