import type { IncomingHttpHeaders, Server } from "node:http";
import { createServer, type ServerOptions } from "node:http2";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import fastify, { type FastifyInstance } from "fastify";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { startAdmin } from "#observability/admin.ts";
import type { GatewayConfig } from "./config.ts";
import { connectionsPlugin } from "./connections/plugin.ts";
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
import { SessionCookies } from "./session-cookie/session-cookie.ts";
import { routeUpgrades, shouldUpgrade } from "./streams/handshake.ts";

const noticeMs = 1000;
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
  /** Open connections of the former. */
  connections: ReadonlySet<Socket>;
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
  const grpc = fastify({ ...options, http2: true, serverFactory: (handler) => createServer(http2Options, handler) });
  for (const app of [http, grpc as unknown as FastifyInstance]) addParts(app, context);
  grpc.register(connectionsPlugin as never, { count: context.connections });
  routeUpgrades(http);
  return { http, grpc: grpc as unknown as FastifyInstance, connections: connectionsOf(http.server) };
}

function connectionsOf(server: Server): ReadonlySet<Socket> {
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
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
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
    httpPort: await listen(gateway.http, host, httpPort),
    grpcPort: await listen(gateway.grpc, host, grpcPort),
  };
  lifecycle.use("gateway", gateway, ({ http }) => http.server.closeAllConnections());
  lifecycle.onDrain("gateway", async () => {
    // Envoy learns from /health/ready that no new calls are wanted; until it has, they are still served.
    await sleep(noticeMs);
    await closeGateway(gateway);
  });
  if (adminPort !== 0) await startAdmin({ host, port: adminPort, lifecycle });
  return ports;
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<number> {
  await app.listen({ host, port });
  const address = app.server.address();
  return typeof address === "object" && address ? address.port : port;
}
