import type { DescMethod } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, ServiceError, unauthenticated } from "../errors.ts";
import { newId } from "../id.ts";
import type { Priority } from "../overload/priority.ts";
import { limits, type TimeLimited } from "../time-limit.ts";
import { type Retries, retriesOf } from "./retry-ledger.ts";
import type { CallContext, Caller } from "./service.ts";

const anonymous: Caller = { kind: "anonymous" };
const transitMs = 20;
const acceptableId = /^[A-Za-z0-9._-]{1,128}$/;

/** A call under way at the server: what interceptors fill in and handlers see as their CallContext. */
export class ServerCall implements CallContext, TimeLimited {
  readonly method: DescMethod;
  readonly requestId: string;
  caller: Caller = anonymous;
  accessToken: string | undefined;
  /** How much it matters when not all can be taken; undefined where all are. */
  priority: Priority | undefined;
  /** In milliseconds since the epoch; Infinity when there is none. */
  deadlineMs: number;
  /** Whether the answer has to show all that is committed, which a replica may not know yet. */
  mustBeCurrent = false;
  /** Sent with the status; undefined while there are none. */
  trailers: Metadata | undefined;
  /** Sent before the first message; undefined while there are none. */
  responseHeaders: Metadata | undefined;
  /** Sends a message of a stream, and waits while the caller cannot take more. */
  send: ((message: Buffer) => Promise<void>) | undefined;
  readonly #metadata: Metadata;
  #controller: AbortController | undefined;
  #reason: ServiceError | undefined;
  #over = false;
  #retries: Retries | undefined;
  #watcher: ((reason: ServiceError) => void) | undefined;

  constructor(method: DescMethod, metadata: Metadata, deadlineMs: number) {
    this.method = method;
    this.#metadata = metadata;
    this.deadlineMs = deadlineMs;
    const given = this.header("x-request-id");
    this.requestId = given !== undefined && acceptableId.test(given) ? given : newId();
  }

  get userId(): string {
    if (this.caller.kind === "user") return this.caller.userId;
    throw unauthenticated(ErrorReason.TOKEN_INVALID, "this call needs an access token");
  }

  /** Which try this is, and how many more it and the calls on its behalf may cause. */
  get retries(): Retries {
    this.#retries ??= retriesOf(this.method, (name) => this.header(name));
    return this.#retries;
  }

  get deadline(): Date | undefined {
    return Number.isFinite(this.deadlineMs) ? new Date(this.deadlineMs) : undefined;
  }

  // Most calls never ask for the signal, so it is made when one does.
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      limits(this.#controller.signal, this);
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Why the call was aborted; undefined while it was not. */
  get abortReason(): ServiceError | undefined {
    return this.#reason;
  }

  /** Tells the handler and the one who waits for it to give up. Without effect once the call is over. */
  abort(reason: ServiceError): void {
    if (this.#over || this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#watcher?.(reason);
  }

  /** The connection or grpc-js ended the call: its own timer, or the caller that went away. */
  lost(): void {
    // grpc-js says so after every call that was answered as well, and an error is dear: its stack is taken when it is made.
    if (this.#over || this.#reason) return;
    // A caller whose time is up cancels, and its clock started a little sooner than ours.
    this.abort(Date.now() >= this.deadlineMs - transitMs ? deadlineExceeded() : cancelled());
  }

  /** Marks the call as answered. */
  finish(): void {
    this.#over = true;
    this.#watcher = undefined;
  }

  /** Has `watcher` told when the call is aborted, at once if it was already. */
  onAbort(watcher: (reason: ServiceError) => void): void {
    if (this.#reason) watcher(this.#reason);
    else this.#watcher = watcher;
  }

  header(name: string): string | undefined {
    const [value] = this.#metadata.get(name);
    return typeof value === "string" ? value : undefined;
  }

  setTrailer(name: string, value: string): void {
    this.trailers ??= new Metadata();
    this.trailers.set(name, value);
  }

  responseHeader(name: string, value: string): void {
    this.responseHeaders ??= new Metadata();
    this.responseHeaders.set(name, value);
  }
}

/** DEADLINE_EXCEEDED: the time that the caller gave, or that the method may take, ran out. */
export function deadlineExceeded(): ServiceError {
  return new ServiceError({ reason: ErrorReason.DEADLINE_EXCEEDED, message: "the call took too long" });
}

/** CANCELLED: the caller went away. */
export function cancelled(): ServiceError {
  return new ServiceError({
    code: Code.CANCELLED,
    reason: ErrorReason.CANCELLED,
    message: "the caller cancelled the call",
  });
}
