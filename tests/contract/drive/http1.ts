import { Agent, type IncomingHttpHeaders, request } from "node:http";

export interface HttpRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: Uint8Array | undefined;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  trailers: Record<string, unknown>;
  body: Buffer;
  milliseconds: number;
}

const patienceMs = 30_000;

/** HTTP/1.1 to one address, byte for byte as given, over connections that are kept. */
export class Http1 {
  readonly #agent: Agent;
  readonly #host: string;
  readonly #port: number;

  constructor(address: string, connections = 16) {
    const { hostname, port } = new URL(address);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.#host = hostname;
    this.#port = Number(port);
  }

  /** Rejects when no answer comes. With `until`, ends once that holds for what has come so far, or after its time. */
  send({ method, path, headers, body }: HttpRequest, until?: Until): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const begin = performance.now();
    const length = body === undefined ? {} : { "content-length": String(body.length) };
    const outgoing = request({
      agent: this.#agent,
      host: this.#host,
      port: this.#port,
      method,
      path,
      headers: { ...headers, ...length },
      timeout: patienceMs,
    });
    outgoing.on("error", (error) => reject(new Error(`no answer: ${error.message}`)));
    outgoing.on("timeout", () => outgoing.destroy(new Error(`nothing for ${patienceMs} ms`)));
    outgoing.on("response", (incoming) => {
      const chunks: Buffer[] = [];
      const firstMs = performance.now() - begin;
      const finish = (milliseconds: number) => {
        const { statusCode = 0, headers: received, trailers } = incoming;
        resolve({ status: statusCode, headers: received, trailers, body: Buffer.concat(chunks), milliseconds });
      };
      incoming.on("data", (chunk) => {
        chunks.push(chunk);
        if (until?.enough(Buffer.concat(chunks))) stop();
      });
      incoming.on("end", () => finish(performance.now() - begin));
      incoming.on("error", (error) => reject(new Error(`the answer broke off: ${error.message}`)));
      const stop = () => {
        finish(firstMs);
        outgoing.destroy();
      };
      if (until) setTimeout(stop, until.milliseconds).unref();
    });
    outgoing.end(body);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** When a stream of answers has told enough. */
export interface Until {
  enough(body: Buffer): boolean;
  /** After the headers. */
  milliseconds: number;
}
