import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type CallOptions, type Client, Code, ConnectError } from "@connectrpc/connect";
import { bearer, needsToken } from "./authenticate.ts";
import { isTokenRefused } from "./errors.ts";
import { isRepeatable, type RetryOptions, waitBefore } from "./retry.ts";
import type { Session } from "./session.ts";
import { orAborted, pause } from "./waiting.ts";

export interface StreamOptions {
  session: Session;
  retry: RetryOptions;
}

type Fields = Record<string, unknown>;
type Open = (request: Fields, options: CallOptions) => AsyncIterable<Fields>;

/**
 * The same client with streams that outlive their connection: a stream whose messages carry a cursor, which its request
 * takes too, goes on behind the last message; any other is opened again as long as nothing of it has arrived. Leaving
 * the loop over a stream ends the call.
 */
export function withLastingStreams<S extends DescService>(
  service: S,
  client: Client<S>,
  options: StreamOptions,
): Client<S> {
  const open = client as unknown as Record<string, Open>;
  const streams = service.methods
    .filter((method) => method.methodKind === "server_streaming")
    .map((method) => {
      const call = open[method.localName] as Open;
      const lasting: Open = (request, callOptions) =>
        new Stream(method, call, options).read(request, callOptions ?? {});
      return [method.localName, lasting];
    });
  return { ...client, ...Object.fromEntries(streams) };
}

class Stream {
  readonly #method: DescMethod;
  readonly #open: Open;
  readonly #options: StreamOptions;
  /** Failures since a message arrived. */
  #failures = 0;
  #wasRefused = false;
  #hasMessages = false;
  #cursor: unknown;

  constructor(method: DescMethod, open: Open, options: StreamOptions) {
    this.#method = method;
    this.#open = open;
    this.#options = options;
  }

  async *read(request: Fields, options: CallOptions): AsyncGenerator<Fields> {
    const leaving = new AbortController();
    const leave = () => leaving.abort(ConnectError.from(options.signal?.reason, Code.Canceled));
    if (options.signal?.aborted) leave();
    options.signal?.addEventListener("abort", leave, { once: true });
    const end = options.timeoutMs === undefined ? undefined : performance.now() + options.timeoutMs;
    try {
      for (let isOver = false; !isOver; ) {
        const timeoutMs = end === undefined ? undefined : Math.max(1, Math.ceil(end - performance.now()));
        isOver = yield* this.#attempt(request, { ...options, timeoutMs, signal: leaving.signal });
      }
    } finally {
      options.signal?.removeEventListener("abort", leave);
      leaving.abort();
    }
  }

  /** Passes on what one connection brings, and answers whether that was all. Throws when another one is of no use. */
  async *#attempt(request: Fields, options: CallOptions & { signal: AbortSignal }): AsyncGenerator<Fields, boolean> {
    const headers = new Headers(options.headers);
    const token = await this.#token(headers, options.signal);
    if (token !== undefined) headers.set("authorization", bearer(token));
    const resumed = this.#cursor === undefined ? request : { ...request, cursor: this.#cursor };
    try {
      for await (const message of this.#open(resumed, { ...options, headers })) {
        this.#note(message);
        yield message;
      }
      return true;
    } catch (error) {
      await this.#recover(ConnectError.from(error), { token, signal: options.signal });
      return false;
    }
  }

  async #token(headers: Headers, signal: AbortSignal): Promise<string | undefined> {
    if (!needsToken(this.#method) || headers.has("authorization")) return undefined;
    return await orAborted(this.#options.session.accessToken(), signal);
  }

  #note(message: Fields): void {
    this.#failures = 0;
    this.#wasRefused = false;
    this.#hasMessages = true;
    if (hasCursor(this.#method) && message.cursor !== "") this.#cursor = message.cursor;
  }

  /** Waits until the stream can be opened again. Throws when it cannot. */
  async #recover(
    error: ConnectError,
    { token, signal }: { token: string | undefined; signal: AbortSignal },
  ): Promise<void> {
    const isResumable = this.#hasMessages
      ? this.#cursor !== undefined
      : isRepeatable(this.#method) || hasCursor(this.#method);
    if (!isResumable || signal.aborted) throw error;
    if (token !== undefined && isTokenRefused(error) && !this.#wasRefused) {
      this.#wasRefused = true;
      await orAborted(this.#options.session.refresh(token), signal);
      return;
    }
    this.#failures++;
    const waitMs = waitBefore(this.#failures, error, this.#options.retry);
    if (waitMs === undefined) throw error;
    await pause(waitMs, signal);
  }
}

/** Whether the messages say how far they go, and the request from where. */
function hasCursor({ input, output }: DescMethod): boolean {
  return input.field.cursor !== undefined && output.field.cursor !== undefined;
}
