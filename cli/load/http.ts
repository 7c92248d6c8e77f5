import { Agent, request as httpRequest } from "node:http";
import { request as httpsRequest, Agent as TlsAgent } from "node:https";

export interface Answer {
  status: number;
  body: string;
  retryAfter: number;
}

export interface Call {
  method: "GET" | "POST" | "PATCH";
  path: string;
  token?: string;
  body?: unknown;
}

const timeoutMs = 10_000;

/** Calls one origin over kept connections, used in turn. */
export class HttpClient {
  readonly #agent: Agent;
  readonly #request: typeof httpRequest;
  readonly #origin: URL;

  constructor(origin: URL, connections: number) {
    const isTls = origin.protocol === "https:";
    const options = { keepAlive: true, maxSockets: connections, scheduling: "fifo" as const };
    this.#agent = isTls ? new TlsAgent(options) : new Agent(options);
    this.#request = isTls ? httpsRequest : httpRequest;
    this.#origin = origin;
  }

  /** Rejects with the code of what broke: ECONNRESET, ECONNREFUSED, TIMEOUT. */
  call({ method, path, token, body }: Call): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers: Record<string, string | number> = { accept: "application/json" };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (payload !== undefined) {
      headers["content-type"] = "application/json";
      headers["content-length"] = payload.length;
    }
    const { hostname, port } = this.#origin;
    const request = this.#request(
      { agent: this.#agent, host: hostname.replace(/^\[|\]$/g, ""), port, method, path, headers, timeout: timeoutMs },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const { statusCode: status = 0, headers: given } = response;
          resolve({ status, body: Buffer.concat(chunks).toString(), retryAfter: Number(given["retry-after"] ?? 1) });
        });
      },
    );
    request.on("timeout", () => request.destroy(Object.assign(new Error("no answer"), { code: "TIMEOUT" })));
    request.on("error", reject);
    request.end(payload);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}
