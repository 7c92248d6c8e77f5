import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { renderMetrics } from "./telemetry.ts";

/** Answers when a part that the process needs is there, throws when it is not. */
export type Check = () => Promise<unknown> | unknown;

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
  /** By name, as they are to be shown when they fail: `{ database: () => database.ping() }`. */
  checks?: Record<string, Check>;
}

interface Readiness {
  ready: boolean;
  failing: string[];
}

const cacheMs = 250;
/** A part that hangs counts as away; with the cache, readiness turns within a second. */
const checkLimitMs = 500;

/**
 * Serves /live (the process runs, whatever happens to others), /ready (it has started, is not stopping, and every
 * check passes; otherwise 503 and the names of what fails) and /metrics. Closed by the lifecycle.
 */
export async function startAdmin({ host, port, lifecycle, checks = {} }: AdminOptions): Promise<{ port: number }> {
  const readiness = cachedReadiness(lifecycle, checks);
  const routes: Record<string, (response: ServerResponse) => Promise<void>> = {
    "/live": async (response) => answer(response, 200, { status: "live" }),
    "/ready": async (response) => {
      const { ready, failing } = await readiness();
      answer(response, ready ? 200 : 503, ready ? { status: "ready" } : { status: "not ready", failing });
    },
    "/metrics": async (response) => {
      const text = await renderMetrics();
      if (text === undefined) answer(response, 404, { error: "metrics are off" });
      else response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text);
    },
  };
  const server = createServer({ requestTimeout: 5000, headersTimeout: 2000, keepAliveTimeout: 5000 });
  server.maxConnections = 64;
  server.on("request", (request, response) => {
    const route = routes[(request.url ?? "").split("?", 1)[0] ?? ""];
    if (route === undefined) return answer(response, 404, { error: "not found" });
    if (request.method !== "GET" && request.method !== "HEAD") return answer(response, 405, { error: "GET only" });
    route(response).catch(() =>
      response.headersSent ? response.destroy() : answer(response, 500, { error: "failed" }),
    );
  });
  await listen(server, host, port);
  lifecycle.use("admin", server, close);
  return { port: (server.address() as AddressInfo).port };
}

/** Checks run at most once in 250 ms, however many ask; one run at a time. */
function cachedReadiness(lifecycle: Owner, checks: Record<string, Check>): () => Promise<Readiness> {
  let failing: Promise<string[]> | undefined;
  return async () => {
    if (failing === undefined) {
      failing = runChecks(checks);
      const forget = () => setTimeout(() => (failing = undefined), cacheMs).unref();
      failing.then(forget, forget);
    }
    const names = await failing;
    return lifecycle.ready ? { ready: names.length === 0, failing: names } : { ready: false, failing: ["process"] };
  };
}

async function runChecks(checks: Record<string, Check>): Promise<string[]> {
  const outcomes = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => ((await passes(check)) ? [] : [name])),
  );
  return outcomes.flat();
}

async function passes(check: Check): Promise<boolean> {
  const limit = Promise.withResolvers<boolean>();
  const timer = setTimeout(limit.resolve, checkLimitMs, false);
  const outcome = Promise.try(check).then(
    () => true,
    () => false,
  );
  const passed = await Promise.race([outcome, limit.promise]);
  clearTimeout(timer);
  return passed;
}

function answer(response: ServerResponse, status: number, body: Record<string, unknown>): void {
  response
    .writeHead(status, { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" })
    .end(`${JSON.stringify(body)}\n`);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  server.closeIdleConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
