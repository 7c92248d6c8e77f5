import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parseCookie, stringifySetCookie } from "cookie";
import { answer, answerJson, answerLargeJson, answerPage } from "./http.ts";
import { openPaths, pageOf, signInPage } from "./pages.ts";
import { FieldError, readSearch } from "./search-form.ts";
import { PictureStreams } from "./stream.ts";
import { Tickets } from "./tickets.ts";
import { cookieOf, isSame } from "./token.ts";
import { JaegerAwayError, TraceReader } from "./traces.ts";
import type { Watch } from "./watch.ts";

export interface OpsOptions {
  host: string;
  /** 0 takes a free port. */
  port: number;
  /** The operator's token. */
  token: string;
  watch: Watch;
  /** Jaeger's query API; undefined: there is none. */
  jaegerUrl: string | undefined;
  /** Prometheus' page, to which the pages link; undefined: there is none. */
  prometheusUrl?: string | undefined;
  /** The page of metrics about the parts. */
  partsMetrics: () => Promise<string>;
  /** Names other than those of loopback under which it may be asked. */
  hosts?: readonly string[];
}

export interface OpsServer {
  port: number;
  close(): Promise<void>;
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/** Serves /ops and its data to operators, and the metrics of the parts. */
export async function startOpsServer(options: OpsOptions): Promise<OpsServer> {
  const site = new OpsSite(options);
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5000 }, (request, response) => {
    site.respond(request, response).catch((error: unknown) => site.fail(response, error));
  });
  server.maxConnections = 256;
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  site.cookieName = `taskmesh_ops_${options.port || port}`;
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Route = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void> | void;

class OpsSite {
  readonly #options: OpsOptions;
  readonly #cookie: string;
  readonly #tickets = new Tickets();
  readonly #streams: PictureStreams;
  readonly #traces: TraceReader | undefined;
  /** Cookies know no ports: those of two meshes on one machine differ in name. */
  cookieName = "";

  constructor(options: OpsOptions) {
    this.#options = options;
    this.#cookie = cookieOf(options.token);
    this.#streams = new PictureStreams(options.watch);
    this.#traces = options.jaegerUrl === undefined ? undefined : new TraceReader(options.jaegerUrl);
  }

  /** What needs no token. */
  readonly #open: Record<string, Route> = {
    "GET /health": (_, response) => answerJson(response, 200, { status: "ready" }),
    "GET /metrics": async (_, response) =>
      answer(
        response,
        200,
        { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
        await this.#options.partsMetrics(),
      ),
    "GET /": (_, response) => answer(response, 303, { location: "/ops" }),
    "GET /ops/enter": (_, response, url) => this.#enter(response, url.searchParams.get("ticket") ?? ""),
  };

  readonly #closed: Record<string, Route> = {
    "POST /ops/tickets": (_, response) => answerJson(response, 200, { ticket: this.#tickets.issue() }),
    "GET /ops/api/picture": async (request, response) =>
      answerLargeJson(request, response, await this.#options.watch.once()),
    "GET /ops/api/links": (_, response) => answerJson(response, 200, { prometheus: this.#options.prometheusUrl }),
    "GET /ops/api/stream": (_, response) => this.#streams.add(response),
    "GET /ops/api/services": async (_, response) => answerJson(response, 200, await this.#jaeger().services()),
    "GET /ops/api/operations": async (_, response, url) =>
      answerJson(response, 200, await this.#jaeger().operations(url.searchParams.get("service") ?? "")),
    "GET /ops/api/traces": async (request, response, url) =>
      answerLargeJson(request, response, await this.#jaeger().search(readSearch(url.searchParams))),
  };

  async respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A page of the web must not reach this by giving its own name the loopback address.
    if (!this.#isAsked(request.headers.host ?? "")) return answerJson(response, 403, { error: "ask for localhost" });
    const url = URL.parse(request.url ?? "/", "http://localhost");
    if (url === null) return answerJson(response, 400, { error: "this is no address" });
    const method = request.method === "HEAD" ? "GET" : (request.method ?? "");
    const key = `${method} ${url.pathname.replace(/(?<=.)\/$/, "")}`;
    const open = this.#open[key];
    if (open !== undefined) return open(request, response, url);
    if (openPaths.has(url.pathname)) return this.#serveFile(response, url.pathname);
    if (!this.#isOperator(request)) return this.#refuse(request, response);
    const route = this.#closed[key] ?? this.#other(key, url.pathname);
    if (route === undefined) return answerJson(response, 404, { error: "not found" });
    return route(request, response, url);
  }

  fail(response: ServerResponse, error: unknown): void {
    if (response.headersSent) response.destroy();
    else if (error instanceof FieldError) answerJson(response, 400, { field: error.field, error: error.message });
    else if (error instanceof JaegerAwayError) answerJson(response, 503, { error: error.message });
    else answerJson(response, 500, { error: "failed" });
  }

  #other(key: string, path: string): Route | undefined {
    const [, traceId] = /^GET \/ops\/api\/traces\/([0-9a-f]{16,32})$/i.exec(key) ?? [];
    if (traceId !== undefined) return (request, response) => this.#trace(request, response, traceId.toLowerCase());
    if (!key.startsWith("GET ") || pageOf(key.slice(4)) === undefined) return undefined;
    return (_, response) => this.#serveFile(response, path.replace(/(?<=.)\/$/, ""));
  }

  async #trace(request: IncomingMessage, response: ServerResponse, traceId: string): Promise<void> {
    const trace = await this.#jaeger().trace(traceId);
    if (trace === undefined)
      answerJson(response, 404, { error: "Jaeger does not know this trace: it keeps the newest" });
    else await answerLargeJson(request, response, trace);
  }

  async #serveFile(response: ServerResponse, path: string): Promise<void> {
    const content = await pageOf(path);
    if (content !== undefined) answerPage(response, 200, content);
  }

  /** Turns a ticket into a cookie, and leaves nothing of it in the address. */
  async #enter(response: ServerResponse, ticket: string): Promise<void> {
    if (!this.#tickets.redeem(ticket)) return answerPage(response, 401, await signInPage());
    const cookie = stringifySetCookie({
      name: this.cookieName,
      value: this.#cookie,
      httpOnly: true,
      sameSite: "strict",
      path: "/ops",
      maxAge: 7 * 86_400,
    });
    answer(response, 303, { location: "/ops", "set-cookie": cookie });
  }

  #isOperator({ headers }: IncomingMessage): boolean {
    const [, bearer] = /^Bearer (\S+)$/i.exec(headers.authorization ?? "") ?? [];
    if (bearer !== undefined) return isSame(bearer, this.#options.token);
    return isSame(parseCookie(headers.cookie ?? "")[this.cookieName], this.#cookie);
  }

  async #refuse(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (/\btext\/html\b/.test(request.headers.accept ?? "")) return answerPage(response, 401, await signInPage());
    answerJson(response, 401, { error: "for operators: run `npx mesh ops`" });
  }

  #isAsked(host: string): boolean {
    const name = host.replace(/:\d+$/, "").toLowerCase();
    return loopback.test(name) || (this.#options.hosts ?? []).includes(name);
  }

  #jaeger(): TraceReader {
    if (this.#traces === undefined) throw new JaegerAwayError("There is no Jaeger here");
    return this.#traces;
  }
}

function listen(server: Server, { host, port }: OpsOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
