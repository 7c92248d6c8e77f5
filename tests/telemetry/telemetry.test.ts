import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startPropagation } from "#observability/propagation.ts";
import { TestMesh } from "../_util/mesh.ts";
import { Person } from "../_util/person.ts";
import { until } from "../_util/until.ts";
import { calls, type Stage } from "./calls.ts";
import { CanaryDrive, type Driven } from "./canaries.ts";
import { faultsOf } from "./compare.ts";
import { nameOf, TraceContract } from "./contract.ts";
import { expectedTree } from "./expected.ts";
import { traceIdsIn, triesOf, whilePaused, writeJunk } from "./failing-events.ts";
import { allSpansOf, type OtlpSpan, spansOf } from "./jaeger-spans.ts";
import { type Line, lineFaults, linesOf, processLogs } from "./log-lines.ts";
import { databasesOf, hits, logsOf, metricsOf, redisOf, topicsOf, tracesOf } from "./stores.ts";
import { type Begun, begin, differencesNow, differencesOf } from "./traced.ts";

let mesh: TestMesh;
let stage: Stage;
const contract = new TraceContract();
const begun = new Map<string, Begun>();

beforeAll(async () => {
  startPropagation();
  // What is known already is asked of nobody, and in no trace.
  mesh = await TestMesh.start({
    env: { USER_PROFILE_CACHE_TTL: "0", WEBHOOK_ALLOW_HTTP: "true", WEBHOOK_ALLOWED_NETWORKS: "127.0.0.0/8" },
  });
  const [ann, bob] = await Promise.all([Person.register(mesh.edge, "Ann"), Person.register(mesh.edge, "Bob")]);
  stage = { mesh, ann, bob, headers: {}, answers: new Map() };
  // Their own events must be over: such as come together share a transaction, which is in the trace of one of them.
  await until("the events of the registrations", async () => {
    const spans = await allSpansOf(mesh.jaeger, "consumers");
    return spans.filter(({ name }) => name === "process auth.events.v1").length >= 2;
  });
});
afterAll(() => mesh?.stop());

/** Makes the call of an RPC in a trace of its own. */
async function play(rpc: string): Promise<Begun> {
  const trace = begin();
  begun.set(rpc, trace);
  stage.headers = { traceparent: trace.traceparent };
  stage.answers.set(rpc, await calls[rpc]?.(stage));
  // Events that come together share a transaction, which is in the trace of one of them.
  const { events, unheardEvents } = contract.traceOf(contract.method(rpc));
  if (events.length + unheardEvents.length > 0) await differencesOf(mesh.jaeger, expectedTree(contract, rpc), trace);
  return trace;
}

describe("the trace of every RPC, in the Jaeger that is there by default [beyond.04] [mesh.11] [pain.14]", () => {
  it("is asked for here", () => {
    expect(Object.keys(calls).sort()).toEqual(contract.methods.map(nameOf).sort());
  });

  it("begins", async () => {
    for (const rpc of Object.keys(calls)) await play(rpc);
  });

  it.each(Object.keys(calls))("%s", async (rpc) => {
    const trace = begun.get(rpc) as Begun;
    expect(await differencesOf(mesh.jaeger, expectedTree(contract, rpc), trace)).toEqual([]);
  });

  it("stays as it was: nothing came late that nobody declared", async () => {
    for (const [rpc, trace] of begun) {
      expect(await differencesNow(mesh.jaeger, expectedTree(contract, rpc), trace), rpc).toEqual([]);
    }
  });
});

describe("the trace of an event that fails [mesh.03]", () => {
  const attempts = (tries: OtlpSpan[]) =>
    tries.map(({ attributes }) => [
      attributes["taskmesh.event.attempt"]?.value,
      attributes["taskmesh.event.outcome"]?.value,
    ]);

  it("goes on through the retry topics", async () => {
    const { ann, bob } = stage;
    const { taskId } = await bob.ask("POST /v1/tasks", { title: "Weed", assigneeIds: [ann.userId] });
    const trace = begin();
    const { traceparent } = trace;
    await whilePaused(mesh, "user-1", async () => {
      await bob.ask(`POST /v1/tasks/${taskId}/comments`, { text: "Now" }, { headers: { traceparent } });
      expect(await traceIdsIn(mesh, "notification.retry-1s.v1")).toEqual([trace.traceId]);
    });
    const tries = await triesOf(mesh.jaeger, trace, "notification");
    expect(attempts(tries)).toEqual(
      tries.map((_, index) => [index + 1, index + 1 < tries.length ? "retried" : "done"]),
    );
    expect(tries.length).toBeGreaterThan(1);
    expect(new Set(tries.map(({ parentSpanId }) => parentSpanId)).size).toBe(1);
    expect((await spansOf(mesh.jaeger, trace.traceId)).flatMap(faultsOf)).toEqual([]);
  });

  it("ends with its dead letter", async () => {
    const trace = begin();
    await writeJunk(mesh, "task.events.v1", trace);
    const [only, ...others] = await triesOf(mesh.jaeger, trace, "notification");
    expect([attempts([only as OtlpSpan]), others]).toEqual([[[1, "dead"]], []]);
    expect([only?.parentSpanId, only?.links.map(({ spanId }) => spanId)]).toEqual([trace.spanId, [trace.spanId]]);
    expect(await traceIdsIn(mesh, "notification.dlq.v1")).toEqual([trace.traceId]);
  });
});

describe("what people write, and what is secret", () => {
  let driven: Driven;
  /** Personal words stand in events where their readers need them, and nowhere else. */
  const inEvents = [
    "task.events.v1 title: title",
    "task.events.v1 title: imported title",
    "task.events.v1 comment_added excerpt: comment",
    "user.events.v1 user_created display_name: display name",
    "notification.deliveries.v1 delivery_requested notification title: display name",
    "notification.deliveries.v1 delivery_requested notification title: title",
    "notification.deliveries.v1 delivery_requested notification body: title",
    "notification.deliveries.v1 delivery_requested notification body: comment",
  ];
  const secrets = () => driven.canaries.filter(({ secret }) => secret);

  beforeAll(async () => {
    driven = await new CanaryDrive(mesh.edge).run();
  });

  it("is in no log; an address is in that of the edge alone", async () => {
    // Envoy writes its log every ten seconds.
    const found = () => hits(logsOf(mesh), driven.canaries);
    await until("the last line of the edge", () => found().includes("envoy.log: address"));
    expect(found()).toEqual(["envoy.log: address"]);
  });

  it("is in no span", async () => {
    expect(hits(await tracesOf(mesh), driven.canaries)).toEqual([]);
  });

  it("is in no metric", async () => {
    expect(hits(await metricsOf(mesh), driven.canaries)).toEqual([]);
  });

  it("is not in Redis, but for the addresses that the limits count for a minute", async () => {
    const found = hits(await redisOf(mesh), driven.canaries);
    expect(found.filter((hit) => hit !== "Redis: address")).toEqual([]);
  });

  it("is in Kafka only where an event is to tell it, never in headers or keys", async () => {
    const { headers, fields, raw } = await topicsOf(mesh);
    expect(hits(headers, driven.canaries)).toEqual([]);
    expect(hits(raw, secrets())).toEqual([]);
    const told = hits(fields, driven.canaries);
    expect(told.filter((hit) => !inEvents.includes(hit))).toEqual([]);
    // What is in the bytes of an event is in one of its fields: nothing is hidden from the list.
    expect(new Set(hits(raw, driven.canaries).map((hit) => hit.split(": ")[1]))).toEqual(
      new Set(told.map((hit) => hit.split(": ")[1])),
    );
  });

  it("is not told to those who are refused, nor kept in the clear when it is secret", async () => {
    expect(hits([{ place: "refusals", text: driven.refusals.join("\n") }], secrets())).toEqual([]);
    expect(hits(await databasesOf(mesh), secrets())).toEqual([]);
  });
});

describe("the logs", () => {
  const all = () => processLogs(mesh).flatMap((file) => linesOf(mesh, file));

  it("are lines of JSON that say when, how grave and which instance, in registered keys [002.11]", () => {
    const lines = [...all(), ...linesOf(mesh, "envoy.log")];
    expect(lines.length).toBeGreaterThan(200);
    expect([...new Set(lines.flatMap(lineFaults))]).toEqual([]);
    const instances = new Set(all().map((line) => `${line["service.name"]} ${line["service.instance.id"]}`));
    expect(instances).toContain("task task-1");
  });

  it("have one line for each request, at the edge and at each service that it reached", async () => {
    const lines = all().filter(({ message }) => message === "call answered");
    const atEdge = linesOf(mesh, "envoy.log").filter((line) => line["service.name"] === "envoy-edge");
    for (const [rpc, { traceId }] of begun) {
      const spans = await spansOf(mesh.jaeger, traceId);
      const servers = spans.filter(({ kind, attributes, service }) => {
        return kind === "server" && !service.startsWith("envoy-") && "rpc.method" in attributes;
      });
      const told = lines.filter(({ trace_id }) => trace_id === traceId).map(({ span_id }) => span_id);
      expect(told.sort(), rpc).toEqual(servers.map(({ spanId }) => spanId).sort());
      const isPublic = spans.some(({ service }) => service === "envoy-edge");
      expect(atEdge.filter(({ trace_id }) => trace_id === traceId).length, rpc).toBe(isPublic ? 1 : 0);
    }
  });

  it("have their errors split off [001.15]", () => {
    const isError = ({ level }: Line) => level === "error" || level === "fatal";
    expect(all().filter(isError).length).toBeGreaterThan(0);
    for (const file of processLogs(mesh)) {
      const errors = linesOf(mesh, file).filter(isError);
      if (errors.length > 0) expect(linesOf(mesh, file.replace(/\.log$/, ".error.log"))).toEqual(errors);
    }
  });
});

describe("every span that was made", () => {
  it("has a shape, attributes and values that are registered", async () => {
    const services = ["envoy-edge", "envoy-mesh", "gateway", "auth", "user", "task", "notification", "consumers"];
    const spans: OtlpSpan[] = [];
    // One after the other: Jaeger has been seen to mix up the attributes of a span that several ask for at once.
    for (const service of services) spans.push(...(await allSpansOf(mesh.jaeger, service)));
    expect(spans.length).toBeGreaterThan(1000);
    expect([...new Set(spans.flatMap(faultsOf))]).toEqual([]);
  });
});
