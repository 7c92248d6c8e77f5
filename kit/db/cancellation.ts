import { AsyncLocalStorage } from "node:async_hooks";
import pg from "pg";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError } from "#kit/errors.ts";

const scope = new AsyncLocalStorage<AbortSignal | undefined>();

/** Every query that `fn` starts is cancelled in PostgreSQL once the signal is aborted. */
export function cancelledBy<T>(signal: AbortSignal | undefined, fn: () => T): T {
  return signal === undefined ? fn() : scope.run(signal, fn);
}

/** The signal that stands over the query that is being started. */
export function activeSignal(): AbortSignal | undefined {
  return scope.getStore();
}

/** What an aborted signal means to the caller: its time is over, or it went away. */
export function abortError(signal: AbortSignal, cause?: unknown): ServiceError {
  const { reason } = signal;
  if (reason instanceof ServiceError) return reason;
  return reason instanceof Error && reason.name === "TimeoutError"
    ? new ServiceError({ reason: ErrorReason.DEADLINE_EXCEEDED, message: "the time for the call is over", cause })
    : new ServiceError({ reason: ErrorReason.CANCELLED, message: "the call was cancelled", cause });
}

/** Waits for the work, but not longer than until the signal is aborted. */
export async function untilAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(abortError(signal));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    work.catch(() => {});
  }
}

const cancelMs = 2_000;

/** What the driver has beside what its types say. */
type Wire = pg.Connection & {
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
};
type Cancellable = pg.Client & { processID: number | null; secretKey: number | null };

/**
 * Asks the server to give up what the session is doing, by a request of its own (PostgreSQL's frontend/backend protocol,
 * "Canceling Requests in Progress"): it needs no session, so that it works while none is to be had, and a pooler in between
 * passes it on to whichever session has the query. Answers when it has gone out. Never fails: the query then runs into its
 * own timeout.
 */
export function cancelQuery(client: pg.Client): Promise<void> {
  const { host, port, ssl, processID, secretKey } = client as Cancellable;
  if (processID === null || secretKey === null) return Promise.resolve();
  const sent = Promise.withResolvers<void>();
  const wire = new pg.Connection({ ssl }) as Wire;
  const timer = setTimeout(() => wire.stream.destroy(), cancelMs);
  const send = () => wire.cancel(processID, secretKey);
  wire.on("connect", () => (ssl ? wire.requestSsl() : send()));
  wire.on("sslconnect", send);
  wire.on("error", () => wire.stream.destroy());
  // The server answers nothing; it closes the connection once it has passed the request on.
  wire.on("end", () => sent.resolve());
  if (host.startsWith("/")) wire.connect(`${host}/.s.PGSQL.${port}`);
  else wire.connect(port, host);
  return sent.promise.finally(() => clearTimeout(timer));
}
