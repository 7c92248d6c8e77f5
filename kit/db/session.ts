import { AsyncLocalStorage } from "node:async_hooks";
import pg from "pg";
import { histogram } from "#observability/metrics.ts";
import type { SpanAttributes, SpanName } from "#observability/names.ts";
import { activeSpan, markFailed, type Span, SpanKind, startSpan } from "#observability/tracing.ts";
import { abortError, activeSignal, cancelQuery } from "./cancellation.ts";
import type { Answers } from "./probe.ts";
import { knownStatement, rowTypes, type StatementSummary, summarize } from "./statement.ts";

type Query = pg.QueryConfig<unknown[]>;
type Send = (...args: unknown[]) => unknown;

export interface SessionContext {
  answers: Answers;
  /** The same on every span: which system, which database. */
  attributes: SpanAttributes;
}

const typed = new AsyncLocalStorage<true>();

/** Rows of the statements that `fn` runs come back as `rowTypes` says, also where a library sends them. */
export function withRowTypes<T>(fn: () => T): T {
  return typed.run(true, fn);
}

/** The longest that making one connection may take, also where callers may wait longer for a free one. */
const connectMs = 2_000;

const duration = histogram("db.client.operation.duration");

/** The class of a pool's connections: each statement is a span when somebody traces, and ends with the active signal. */
export function sessionClass(context: SessionContext): new (config?: pg.ClientConfig) => pg.Client {
  return class Session extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      // The pool hides the password from copies.
      super({ ...config, password: config?.password, connectionTimeoutMillis: connectMs });
    }

    // The driver's overloads cannot be told apart in an override; a cursor or a callback goes straight through.
    override query(...args: unknown[]): never {
      const send = super.query.bind(this) as Send;
      const [first, values, callback] = args;
      const isPlain = callback === undefined && typeof values !== "function" && !isSubmittable(first);
      return (isPlain ? run(context, this, toQuery(first, values), send) : send(...args)) as never;
    }
  } as new (
    config?: pg.ClientConfig,
  ) => pg.Client;
}

async function run(context: SessionContext, client: pg.Client, query: Query, send: Send): Promise<unknown> {
  const summary = knownStatement(query.text)?.summary ?? summarize(query.text);
  if (summary.operation === "BEGIN" || summary.operation === "ROLLBACK") return unfailing(client, query, send);
  const signal = activeSignal();
  if (signal?.aborted) throw abortError(signal);

  const span = spanOf(context, summary);
  const started = performance.now();
  let cancelling: Promise<void> | undefined;
  const cancel = () => {
    cancelling = cancelQuery(client);
  };
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    const answer = await send(query);
    context.answers.note();
    return answer;
  } catch (error) {
    if (span !== undefined) markFailed(span, error);
    throw signal?.aborted ? abortError(signal, error) : error;
  } finally {
    signal?.removeEventListener("abort", cancel);
    // The connection must not go to somebody else while a cancel is on its way to it.
    await cancelling;
    span?.end();
    duration.record((performance.now() - started) / 1000, {
      "db.operation.name": summary.operation,
      "db.collection.name": summary.collection,
    });
  }
}

/**
 * kysely does not give a connection back to the pool when the BEGIN or the ROLLBACK on it fails. So neither may fail: the
 * broken connection is ended, which rolls back, and the next statement on it tells of the fault.
 */
async function unfailing(client: pg.Client, query: Query, send: Send): Promise<unknown> {
  try {
    return await send(query);
  } catch {
    await client.end().catch(() => {});
    return { command: "", rowCount: 0, rows: [] };
  }
}

function spanOf({ attributes }: SessionContext, { operation, collection }: StatementSummary): Span | undefined {
  if (!activeSpan()?.isRecording()) return undefined;
  const name = (collection === "" ? operation : `${operation} ${collection}`) as SpanName;
  return startSpan(name, {
    kind: SpanKind.CLIENT,
    attributes: { ...attributes, "db.operation.name": operation, "db.collection.name": collection || undefined },
  });
}

function toQuery(first: unknown, values: unknown): Query {
  const query = typeof first === "string" ? { text: first, values: values as unknown[] | undefined } : (first as Query);
  const known = knownStatement(query.text);
  if (known !== undefined) return { ...query, name: known.name, types: rowTypes };
  return typed.getStore() ? { ...query, types: rowTypes } : query;
}

function isSubmittable(first: unknown): boolean {
  return typeof (first as { submit?: unknown } | undefined)?.submit === "function";
}
