import { createServer as createHttpServer, type IncomingHttpHeaders } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

/** A request as an upstream got it. */
export interface Seen {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
}

export interface Upstream {
  port: number;
  /** What came, health checks left out. */
  seen: Seen[];
  /** What its health check answers. */
  serving: boolean;
  /** Refuses these as a gateway does that has too much to do. */
  sheds?: ((path: string) => boolean) | undefined;
  stop(): Promise<void>;
}

export interface GrpcUpstream extends Upstream {
  /** The status of its answers; "hang" never answers, "reset" breaks the stream after the request came. */
  answer: number | "hang" | "reset";
  /** Its answers wait for this. */
  held?: Promise<void>;
}

/** A gateway over HTTP/1.1: answers 200 to everything, switches protocols when asked, knows /health/ready. */
export async function startHttpUpstream(delay: () => Promise<void> = async () => {}): Promise<Upstream> {
  const upstream: Upstream = { port: 0, seen: [], serving: true, stop: async () => {} };
  const see = ({ method = "", url = "", headers }: { method?: string; url?: string; headers: IncomingHttpHeaders }) =>
    upstream.seen.push({ method, path: url, headers });
  const server = createHttpServer(async (request, response) => {
    if (request.url === "/health/ready") return response.writeHead(upstream.serving ? 200 : 503).end();
    see(request);
    await delay();
    if (upstream.sheds?.(request.url ?? "")) return response.writeHead(429, { "x-mesh-shed": "1" }).end();
    return response.writeHead(200, { "content-type": "application/json" }).end('{"from":"http"}');
  });
  server.on("upgrade", (request, socket) => {
    see(request);
    socket.end("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhello");
  });
  upstream.port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
  upstream.stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return upstream;
}

/** A gRPC server over h2c: one answer for every method, and grpc.health.v1. */
export async function startGrpcUpstream(port = 0): Promise<GrpcUpstream> {
  const sessions = new Set<ServerHttp2Session>();
  const upstream: GrpcUpstream = { port: 0, seen: [], serving: true, answer: 0, stop: async () => {} };
  const server = createHttp2Server();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session)).on("error", () => {});
  });
  server.on("stream", async (stream, headers) => {
    stream.on("error", () => {});
    const path = String(headers[":path"]);
    if (path === "/grpc.health.v1.Health/Check" && headers["x-mesh-target"] === undefined) {
      return reply(stream, 0, Buffer.from([0, 0, 0, 0, 2, 8, upstream.serving ? 1 : 2]));
    }
    // Envoy's own questions about connections.
    if (path.startsWith("/envoy.service.")) return reply(stream, 0, Buffer.alloc(5));
    upstream.seen.push({ method: String(headers[":method"]), path, headers });
    const { answer } = upstream;
    if (upstream.held !== undefined) await upstream.held;
    if (answer === "hang") return undefined;
    if (answer === "reset") return stream.close(2);
    if (upstream.sheds?.(path)) {
      const refusal = { ":status": 200, "content-type": "application/grpc", "grpc-status": "8", "x-mesh-shed": "1" };
      return stream.respond(refusal, { endStream: true });
    }
    return reply(stream, answer, Buffer.alloc(5));
  });
  upstream.port = await new Promise<number>((resolve) => {
    server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
  upstream.stop = () => {
    for (const session of sessions) session.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return upstream;
}

function reply(stream: ServerHttp2Stream, status: number, body: Buffer): void {
  if (stream.destroyed) return;
  const type = { ":status": 200, "content-type": "application/grpc" };
  if (status !== 0) {
    stream.respond({ ...type, "grpc-status": String(status) }, { endStream: true });
    return;
  }
  stream.respond(type, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(body);
}
