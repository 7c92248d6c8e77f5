import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { listenFault } from "#kit/listen-fault.ts";
import { contentTypeOf, formatFor } from "./exposition.ts";
import { renderMetrics } from "./telemetry.ts";

export interface Readiness {
  ready: boolean;
  /** Names of what is not, as they are shown. */
  failing: string[];
}

/** What the admin page needs of kit's Lifecycle. */
interface Owner {
  readonly ready: boolean;
  use<T>(name: string, resource: T, close: (resource: T) => Promise<void> | void): T;
}

export interface AdminOptions {
  host: string;
  /** 0 takes a free port. */
  port: number;
  lifecycle: Owner;
  /** Whether the process takes work; that of the lifecycle unless given. Must answer at once. */
  readiness?: { read(): Readiness };
}

/**
 * Serves /live (the process runs, whatever happens to others), /ready (it has started, is not stopping, and what it needs
 * is there; otherwise 503 and the names of what fails) and /metrics. Closed by the lifecycle.
 */
export async function startAdmin({ host, port, lifecycle, readiness }: AdminOptions): Promise<{ port: number }> {
  const routes: Record<string, (response: ServerResponse, accept: string | undefined) => Promise<void>> = {
    "/live": async (response) => answer(response, 200, { status: "live" }),
    "/ready": async (response) => {
      const { ready, failing } = readiness?.read() ?? ownReadiness(lifecycle);
      answer(response, ready ? 200 : 503, ready ? { status: "ready" } : { status: "not ready", failing });
    },
    "/metrics": async (response, accept) => {
      const format = formatFor(accept);
      const text = await renderMetrics(format);
      if (text === undefined) answer(response, 404, { error: "metrics are off" });
      else response.writeHead(200, { "content-type": contentTypeOf[format], vary: "accept" }).end(text);
    },
  };
  const server = createServer({ requestTimeout: 5000, headersTimeout: 2000, keepAliveTimeout: 5000 });
  server.maxConnections = 64;
  server.on("request", (request, response) => {
    const route = routes[(request.url ?? "").split("?", 1)[0] ?? ""];
    if (route === undefined) return answer(response, 404, { error: "not found" });
    if (request.method !== "GET" && request.method !== "HEAD") return answer(response, 405, { error: "GET only" });
    route(response, request.headers.accept).catch(() =>
      response.headersSent ? response.destroy() : answer(response, 500, { error: "failed" }),
    );
  });
  await listen(server, host, port);
  lifecycle.use("admin", server, close);
  return { port: (server.address() as AddressInfo).port };
}

function ownReadiness({ ready }: Owner): Readiness {
  return { ready, failing: ready ? [] : ["process"] };
}

function answer(response: ServerResponse, status: number, body: Record<string, unknown>): void {
  response
    .writeHead(status, { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" })
    .end(`${JSON.stringify(body)}\n`);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(listenFault(error, port, "ADMIN_PORT")));
    server.listen({ host, port }, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  server.closeIdleConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
