import { trace as api, context, SpanKind } from "@opentelemetry/api";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startPropagation } from "#observability/propagation.ts";
import { startCollector, type TestCollector } from "#observability/testing.ts";
import { until } from "../../_util/until.ts";
import { failure, protocols, rest, taskClient } from "./calls.ts";
import { type Person, type Stack, startStack } from "./stack.ts";

const exporter = new InMemorySpanExporter();
let collector: TestCollector;
let stack: Stack;
let ada: Person;
let taskId: string;
beforeAll(async () => {
  startPropagation();
  api.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  collector = await startCollector();
  stack = await startStack({ envoy: { otlp: { host: "127.0.0.1", port: collector.grpcPort } } });
  ada = await stack.person();
  taskId = (await rest(stack, ada, "POST /v1/tasks", { body: { title: "a" } })).body.taskId;
});
afterAll(async () => {
  await stack.close();
  await collector.stop();
  api.disable();
  context.disable();
});

const path = () => `/v1/tasks/${taskId}/collaborators`;
const auth = () => ({ authorization: ada.headers.authorization ?? "" });

describe("[edge.10] the time that a client gives", () => {
  beforeEach(() => exporter.reset());

  // ListCollaborators has three hops: the gateway, the task service, and the user service for the names.
  const ways: Record<string, () => Promise<unknown>> = {
    "Connect-Timeout-Ms by REST": () =>
      rest(stack, ada, `GET ${path()}`, { headers: { "connect-timeout-ms": "1500" } }),
    "grpc-timeout by REST": () => rest(stack, ada, `GET ${path()}`, { headers: { "grpc-timeout": "1500m" } }),
    "Prefer: wait by REST": () => rest(stack, ada, `GET ${path()}`, { headers: { prefer: "wait=1" } }),
    ...Object.fromEntries(
      protocols.map((protocol) => [
        `the timeout of ${protocol}`,
        () => taskClient(stack, protocol).listCollaborators({ taskId }, { headers: auth(), timeoutMs: 1500 }),
      ]),
    ),
  };

  it.each(Object.keys(ways))("as %s gets less with every hop, and each says in its span what is left", async (name) => {
    await (ways[name] as () => Promise<unknown>)();
    const left = (await chain()).map(({ attributes }) => Number(attributes["taskmesh.deadline.remaining_ms"]));
    const given = name.startsWith("Prefer") ? 1000 : 1500;
    // The gateway keeps 20 ms for itself, and so does the task service.
    for (const [hop, most] of [given, given - 20, given - 20, given - 40, given - 40].entries()) {
      expect(left[hop]).toBeLessThanOrEqual(most);
      expect(left[hop]).toBeGreaterThan(0);
    }
    expect(left).toEqual(left.toSorted((a, b) => b - a));
  });

  it("[beyond.18] and how often it may still be tried", async () => {
    await rest(stack, ada, `GET ${path()}`);
    const [, , first, , nested] = await chain();
    const ledger = (span: ReadableSpan | undefined) => [
      span?.attributes["taskmesh.retry.attempt"],
      span?.attributes["taskmesh.retry.left"],
    ];
    expect([ledger(first), ledger(nested)]).toEqual([
      [1, 1],
      [1, 0],
    ]);
    const traceId = first?.spanContext().traceId;
    const ofEnvoy = await collector.waitFor(
      (spans) => spans.filter((span) => span.traceId === traceId && span.attributes["taskmesh.retry.left"]).length >= 2,
    );
    const hops = ofEnvoy.filter((span) => span.traceId === traceId && span.attributes["taskmesh.retry.left"]);
    const told = Object.fromEntries(hops.map(({ name, attributes }) => [name, attributes["taskmesh.retry.left"]]));
    expect(told).toMatchObject({
      "task.v1.TaskService/ListCollaborators": "1",
      "user.v1.UserService/BatchGetUsers": "0",
    });
    for (const { attributes } of hops) expect(attributes["taskmesh.deadline.remaining"]).toMatch(/^\d+[mun]$/);
  });
});

/** Our own spans of the last call, from the gateway's down: Envoy's stand between them. */
async function chain(): Promise<ReadableSpan[]> {
  const hops: [SpanKind, RegExp][] = [
    [SpanKind.SERVER, /^(GET|POST) /],
    [SpanKind.CLIENT, /^task.v1.TaskService.ListCollaborators$/],
    [SpanKind.SERVER, /^task.v1.TaskService.ListCollaborators$/],
    [SpanKind.CLIENT, /^user.v1.UserService.BatchGetUsers$/],
    [SpanKind.SERVER, /^user.v1.UserService.BatchGetUsers$/],
  ];
  return until("the spans of every hop", () => {
    const traceId = exporter
      .getFinishedSpans()
      .findLast(({ name }) => name.endsWith("/BatchGetUsers"))
      ?.spanContext().traceId;
    const spans = exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId);
    const found = hops.map(([kind, name]) => spans.find((span) => span.kind === kind && name.test(span.name)));
    return found.every((span) => span !== undefined) ? found : undefined;
  });
}

describe("a call that nobody waits for any more ends its query in PostgreSQL", () => {
  // A change to the title "sleep N" sleeps in the database. When somebody cancels the query (which the limit of the
  // session does not count as), the session keeps the advisory lock N: that is what the test sees of it.
  beforeAll(() =>
    stack.sql.task.query(`
      CREATE FUNCTION sleep_long() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_sleep(30);
        RETURN NEW;
      EXCEPTION WHEN query_canceled THEN
        IF SQLERRM LIKE '%user request%' THEN PERFORM pg_advisory_lock(77, split_part(NEW.title, ' ', 2)::int); END IF;
        RAISE;
      END $$;
      CREATE TRIGGER sleep_long BEFORE UPDATE ON task FOR EACH ROW WHEN (NEW.title LIKE 'sleep %') EXECUTE FUNCTION sleep_long();`),
  );

  const isCancelled = async (lock: number) => {
    const { rows } = await stack.sql.task.query(
      "SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 77 AND objid = $1",
      [lock],
    );
    return rows.length > 0;
  };
  const sleeping = async () => {
    const { rows } = await stack.sql.task.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
    );
    return rows.length;
  };

  interface Way {
    name: string;
    /** Resolves with the code that the call ended with. */
    update(title: string, options: { timeoutMs?: number; signal?: AbortSignal }): Promise<string>;
  }
  const ways: Way[] = [
    {
      name: "REST",
      update: async (title, { timeoutMs, signal }) => {
        const headers: Record<string, string> =
          timeoutMs === undefined ? {} : { "connect-timeout-ms": String(timeoutMs) };
        const options = { body: { title }, headers, ...(signal && { signal }) };
        const reply = await rest(stack, ada, `PATCH /v1/tasks/${taskId}`, options).catch(() => undefined);
        return reply?.body.code ?? "CANCELED";
      },
    },
    ...protocols.map((protocol) => ({
      name: protocol,
      update: async (title: string, options: { timeoutMs?: number; signal?: AbortSignal }) =>
        (
          await failure(
            taskClient(stack, protocol).updateTask({ task: { taskId, title } }, { headers: auth(), ...options }),
          )
        ).code,
    })),
  ];
  let lock = 0;

  it.each(ways)("by $name, at its deadline", async ({ update }) => {
    lock += 1;
    // The time may be over before the query has begun; then the next call tells.
    await until("a query that was cancelled", async () => {
      expect(await update(`sleep ${lock}`, { timeoutMs: 300 })).toBe("DEADLINE_EXCEEDED");
      return isCancelled(lock);
    });
    await until("no query that goes on", async () => (await sleeping()) === 0);
  });

  it.each(ways)("by $name, when the client goes away", async ({ update }) => {
    lock += 1;
    await until("a query that was cancelled", async () => {
      const client = new AbortController();
      const call = update(`sleep ${lock}`, { signal: client.signal });
      await until("the query to begin", async () => (await sleeping()) > 0, { everyMs: 10 });
      client.abort();
      expect(await call).toMatch(/^CANCELL?ED$/);
      await until("no query that goes on", async () => (await sleeping()) === 0, { everyMs: 10 });
      return isCancelled(lock);
    });
  });
});
