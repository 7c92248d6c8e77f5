import { connect, type Socket } from "node:net";
import type { Call } from "../../../cli/load/http.ts";
import { type Response, readResponse } from "./response.ts";

const timeoutMs = 10_000;
const nothing = Buffer.alloc(0);

interface Waiting {
  resolve(response: Response): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/** One kept connection to the edge: as little as can speak HTTP/1.1, since there are ten thousand of them. */
export class Connection {
  readonly #socket: Socket;
  readonly #host: string;
  #bytes: Buffer = nothing;
  #waiting: Waiting | undefined;
  #fault: Error | undefined;
  /** A person asks one thing after another. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(Object.assign(new Error("the edge closed it"), { code: "ECLOSED" })));
  }

  static open({ hostname, port, host }: URL): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Connection(socket, host));
      });
    });
  }

  get isOpen(): boolean {
    return this.#fault === undefined;
  }

  /** Asks once the call before is answered. */
  call(call: Call): Promise<Response> {
    const answer = this.#last.then(() => this.#ask(call));
    this.#last = answer.catch(() => {});
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask({ method, path, token, body }: Call): Promise<Response> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const late = Object.assign(new Error("no answer"), { code: "TIMEOUT" });
    this.#waiting = { resolve, reject, timer: setTimeout(() => this.#fail(late), timeoutMs) };
    const payload = body === undefined ? "" : JSON.stringify(body);
    const lines = [
      `${method} ${path} HTTP/1.1`,
      `host: ${this.#host}`,
      "accept: application/json",
      ...(token === undefined ? [] : [`authorization: Bearer ${token}`]),
      ...(payload === "" ? [] : ["content-type: application/json", `content-length: ${Buffer.byteLength(payload)}`]),
    ];
    this.#socket.write(`${lines.join("\r\n")}\r\n\r\n${payload}`);
    return promise;
  }

  #take(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    try {
      const response = readResponse(this.#bytes);
      if (response === undefined) return;
      // Nothing comes unasked, so nothing follows.
      this.#bytes = nothing;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      clearTimeout(waiting?.timer);
      waiting?.resolve(response);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    this.#fault ??= error;
    clearTimeout(this.#waiting?.timer);
    this.#waiting?.reject(error);
    this.#waiting = undefined;
    this.#bytes = nothing;
    this.#socket.destroy();
  }
}
