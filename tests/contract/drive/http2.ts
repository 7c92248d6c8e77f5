import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from "node:http2";
import type { HttpAnswer, HttpRequest, Until } from "./http1.ts";

const patienceMs = 30_000;

/** HTTP/2 without TLS to one address, over one connection that is opened anew when it is gone. */
export class Http2 {
  readonly #address: string;
  #session: ClientHttp2Session | undefined;

  constructor(address: string) {
    this.#address = address;
  }

  /** As of Http1. */
  send({ method, path, headers, body }: HttpRequest, until?: Until): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const begin = performance.now();
    const stream = this.#open().request(
      { ":method": method, ":path": path, ...headers },
      { endStream: body === undefined },
    );
    let received: IncomingHttpHeaders = {};
    let trailers: Record<string, unknown> = {};
    let firstMs = 0;
    const chunks: Buffer[] = [];
    const finish = (milliseconds: number) => {
      const status = Number(received[":status"] ?? 0);
      resolve({ status, headers: received, trailers, body: Buffer.concat(chunks), milliseconds });
    };
    const stop = () => {
      finish(firstMs);
      stream.close(constants.NGHTTP2_CANCEL);
    };
    stream.setTimeout(patienceMs, () => {
      reject(new Error(`no answer: nothing for ${patienceMs} ms`));
      stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on("response", (answered) => {
      received = answered;
      firstMs = performance.now() - begin;
      if (until) setTimeout(stop, until.milliseconds).unref();
    });
    stream.on("trailers", (sent) => {
      trailers = sent;
    });
    stream.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      if (until?.enough(Buffer.concat(chunks))) stop();
    });
    stream.on("error", (error) => reject(new Error(`no answer: ${error.message}`)));
    stream.on("end", () => finish(performance.now() - begin));
    stream.on("close", () => reject(new Error("the stream was closed without an answer")));
    if (body !== undefined) stream.end(body);
    return promise;
  }

  close(): void {
    this.#session?.close();
  }

  #open(): ClientHttp2Session {
    const open = this.#session;
    if (open !== undefined && !open.closed && !open.destroyed) return open;
    const session = connect(this.#address, { settings: { enablePush: false } });
    // Calls under way hear of it by themselves.
    session.on("error", () => {});
    session.on("goaway", () => session.close());
    this.#session = session;
    return session;
  }
}
