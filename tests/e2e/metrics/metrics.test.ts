import { randomBytes } from "node:crypto";
import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fetchTrace } from "../../../cli/trace/jaeger.ts";
import { unboundedLabels } from "../../../observability/label-values.ts";
import { describeMetric, type MetricName, metrics } from "../../../observability/names.ts";
import { TestMesh } from "../../_util/mesh.ts";
import type { Person } from "../../_util/person.ts";
import { type Catalogue, catalogueOf, missingIn, panelExpressions, ruleExpressions } from "../../_util/promql.ts";
import { until } from "../../_util/until.ts";
import { goWrong } from "./faults.ts";
import { attack } from "./hostile.ts";
import { allPages, exemplarsOf, type Page } from "./pages.ts";
import { PrometheusServer } from "./prometheus-server.ts";
import { work } from "./work.ts";

// The limits of the auth class are the only ones that are ever met.
const wide = ["general", "general-address", "auth", "anonymous-minute", "anonymous-10-minutes", "anonymous-hour"];
const env = {
  // What a large profile has: replicas, which have series of their own, and the Prometheus that is asked.
  POSTGRES_REPLICAS: "2",
  MESH_PROMETHEUS: "true",
  // Envoy's own limits are out of the way, so that it is the gateway that refuses.
  RATE_LIMIT_SCALE: "100",
  // So that more than a hundred imports at a time are too many.
  OVERLOAD_MIN_CALLS: "200",
  OVERLOAD_MAX_CALLS: "200",
  RATE_LIMIT_OVERRIDES: [...wide.map((name) => `${name}=100000/1`), "auth-address=1/60"].join(","),
};

let mesh: TestMesh;
let prometheus: PrometheusServer;
let people: { ann: Person; bob: Person };
let pages: Page[];
let catalogue: Catalogue;
const rules = ruleExpressions();

beforeAll(async () => {
  mesh = await TestMesh.start({ env });
  prometheus = new PrometheusServer(mesh);
  people = await work(mesh.edge);
  await goWrong(mesh, people);
  pages = await allPages(mesh);
  catalogue = catalogueOf(
    pages.flatMap(({ samples }) => samples),
    rules,
  );
});
afterAll(async () => {
  await mesh?.stop();
});

describe("the parts of a whole mesh", () => {
  it("are real programs on this machine, which are told with what they take of it [beyond.06]", async () => {
    const instances = await until("every part and process to run", async () => {
      const known = (await mesh.status()).instances;
      return known.every(({ pid }) => pid !== undefined) && known;
    });
    const programs = new Map(instances.map(({ name, pid }) => [name, basename(readlinkSync(`/proc/${pid}/exe`))]));
    expect(Object.fromEntries(programs)).toMatchObject({
      ...{ kafka: "java", envoy: "envoy", jaeger: expect.stringMatching(/^jaeger/), prometheus: "prometheus" },
      ...{ postgres: "postgres", "postgres-replica-1": "postgres", "postgres-replica-2": "postgres" },
      redis: expect.stringMatching(/^redis/),
    });
    const printed = await mesh.cli("ps");
    for (const { name } of instances) expect(printed).toMatch(new RegExp(`^${name} .* [1-9]\\d* MiB`, "m"));
    expect(printed).toMatch(/\d+ MiB for our own processes, \d+ MiB for the parts/);
  });
});

describe("dashboards and alerts", () => {
  it("ask for series and labels that a running mesh has", () => {
    const faults = [...panelExpressions(), ...rules].flatMap((expression) =>
      missingIn(catalogue, expression).map((fault) => `${expression.place}: ${fault}`),
    );
    expect(faults).toEqual([]);
  });

  it("that ask for a wrong name, a wrong label or show one that is not there are found", () => {
    const missing = (expr: string, shown: string[] = []) => missingIn(catalogue, { expr, shown });
    expect(missing("sum(rate(rpc_server_calls_total[1m]))")).toEqual(["no metric rpc_server_calls_total"]);
    expect(missing('sum by (rpc_service) (rate(rpc_server_call_duration_count{rpc_metod="a"}[1m]))')).toHaveLength(2);
    expect(missing("sum(taskmesh_outbox_lag)", ["service"])).toHaveLength(1);
  });

  it("are evaluated by a real Prometheus, which loads every rule and finds series for every panel [mesh.09]", async () => {
    await until("every target to be scraped", async () => {
      const targets = await prometheus.targets();
      return targets.length === pages.length && targets.every(({ health }) => health === "up");
    });
    await until("every rule to be evaluated", async () =>
      (await prometheus.rules()).every(({ health }) => health !== "unknown"),
    );
    const broken = (await prometheus.rules()).filter(({ health }) => health !== "ok");
    expect(broken).toEqual([]);
    for (const { place, expr } of rules) await expect(prometheus.count(expr), place).resolves.toBeGreaterThanOrEqual(0);
    const empty = new Map(panelExpressions().map(({ place, expr }) => [`${place}: ${expr}`, expr]));
    await until(
      "a series for every panel",
      async () => {
        // Lag is known of partitions that events have come from.
        await people.ann.ask("POST /v1/tasks", { title: "One more", assigneeIds: [people.bob.userId] });
        for (const [place, expr] of empty) if ((await prometheus.count(expr)) > 0) empty.delete(place);
        return empty.size === 0;
      },
      { everyMs: 1000 },
    ).catch(() => {});
    expect([...empty.keys()]).toEqual([]);
  });
});

/** What an operator asks of it, row by row, as dashboards do. */
const questions: Record<string, string[]> = {
  "latency p50, p95, p99, 4xx, 5xx, time of statements, caches and connections [001.16]": [
    ...[0.5, 0.95, 0.99].map(
      (quantile) => `histogram_quantile(${quantile}, sum by (le) (rpc_server_call_duration_bucket)) > 0`,
    ),
    'sum(http_server_request_duration_count{http_response_status_code=~"4.."}) > 0',
    'envoy_http_downstream_rq_xx{envoy_response_code_class="5",envoy_http_conn_manager_prefix="edge"}',
    "sum(db_client_operation_duration_sum) > 0",
    'sum by (taskmesh_cache_name) (taskmesh_cache_lookups_total{taskmesh_cache_result="hit"}) > 0',
    'sum by (taskmesh_cache_name) (taskmesh_cache_lookups_total{taskmesh_cache_result="miss"}) > 0',
    "sum(envoy_http_downstream_cx_total) > 0 and sum(envoy_http_downstream_cx_active) >= 0",
  ],
  "time of each endpoint, shares of 4xx and 5xx, database connections, heap, collections and blocked calls [002.09]": [
    'histogram_quantile(0.95, sum by (le, http_route) (http_server_request_duration_bucket{http_route="/v1/tasks"})) > 0',
    'sum(http_server_request_duration_count{http_response_status_code=~"4.."}) / sum(http_server_request_duration_count) > 0',
    'sum(envoy_http_downstream_rq_xx{envoy_response_code_class="5"}) / sum(envoy_http_downstream_rq_xx) >= 0',
    "sum(db_client_connection_count) > 0 and sum(db_client_connection_max) > 0",
    'sum(pg_stat_activity_count{datname="task"}) > 0',
    "min(v8js_memory_heap_used) > 0 and min(v8js_memory_heap_limit) > 0",
    "sum(v8js_gc_duration_count) > 0",
    "sum(taskmesh_limits_refusals_total) > 0",
  ],
  "Redis: memory, commands and evictions [003.12]": [
    "redis_memory_used_bytes > 0",
    "redis_instantaneous_ops_per_sec >= 0 and redis_commands_processed_total > 0",
    "redis_evicted_keys_total >= 0",
  ],
  "PostgreSQL: connections, long queries and sizes of databases [003.13]": [
    "sum(pg_stat_activity_count) > 0",
    'pg_stat_activity_max_tx_duration{datname="task",state="active"} >= 0',
    'pg_database_size_bytes{datname="task"} > 1e6',
  ],
  "the queue: lag, events under way and who owns which partition [003.14]": [
    'count(taskmesh_consumer_assigned{messaging_consumer_group_name="notification",messaging_destination_name="task.events.v1",instance="consumers-1"}) == 12',
    'taskmesh_consumer_lag{messaging_destination_name="task.events.v1"} >= 0',
    'sum(kafka_consumergroup_lag{consumergroup="email"}) >= 0 and on () kafka_consumergroup_members{consumergroup="email"} > 0',
    'taskmesh_consumer_in_flight{messaging_consumer_group_name="email"} >= 0',
  ],
  "response time, error rate, statements, Redis hits and misses and sockets [004.15]": [
    "sum(rate(http_server_request_duration_sum[5m])) / sum(rate(http_server_request_duration_count[5m])) > 0",
    "taskmesh:rpc_errors:ratio5m >= 0",
    "sum by (db_operation_name) (db_client_operation_duration_count) > 0",
    "redis_keyspace_hits_total >= 0 and redis_keyspace_misses_total >= 0",
    'taskmesh_gateway_streams{network_protocol_name="websocket"} >= 0',
  ],
};

describe("an operator who asks Prometheus", () => {
  it.each(Object.entries(questions))("hears of %s", async (_title, expressions) => {
    for (const expr of expressions) {
      await until(`an answer to ${expr}`, async () => (await prometheus.count(expr)) > 0, { everyMs: 1000 });
    }
  });
});

describe("exemplars", () => {
  const latencies = (Object.keys(metrics) as MetricName[]).filter((name) => {
    const { kind, unit } = describeMetric(name);
    return kind === "histogram" && unit === "s" && name !== "v8js.gc.duration";
  });

  it("lead from a latency to its trace in Jaeger [mesh.10] [001.17]", async () => {
    const hops = ["http_server_request", "rpc_client_call", "rpc_server_call", "db_client_operation"];
    // A bucket keeps its newest exemplar: another call may have come between the call and the look at the page.
    const { traceId, found } = await until("an exemplar of one call on each hop", async () => {
      const traceId = randomBytes(16).toString("hex");
      const traceparent = `00-${traceId}-${randomBytes(8).toString("hex")}-01`;
      await people.ann.ask("GET /v1/tasks", undefined, { headers: { traceparent } });
      const found = (await allPages(mesh)).flatMap(exemplarsOf).filter((exemplar) => exemplar.traceId === traceId);
      const has = (hop: string) => found.some(({ series }) => series.startsWith(`${hop}_duration_bucket`));
      return hops.every(has) && { traceId, found };
    });
    await until("the trace in Jaeger, with these spans and others", async () => {
      const { spans } = await fetchTrace(mesh.jaeger, traceId);
      const ids = new Set(spans.map(({ spanID }) => spanID));
      return found.every(({ spanId }) => ids.has(spanId)) && ids.size > found.length;
    });
    await until("the exemplar in Prometheus", async () =>
      (await prometheus.exemplars("http_server_request_duration_bucket")).includes(traceId),
    );
  });

  it("are on every histogram of a latency, and never of a trace that is not kept", async () => {
    const traceId = randomBytes(16).toString("hex");
    const traceparent = `00-${traceId}-${randomBytes(8).toString("hex")}-00`;
    await people.ann.ask("GET /v1/tasks", undefined, { headers: { traceparent } });
    const now = await allPages(mesh);
    expect(now.some(({ text }) => text.includes(traceId))).toBe(false);
    const series = now.flatMap(exemplarsOf).map((exemplar) => exemplar.series);
    const without = latencies.filter(
      (name) => !series.some((one) => one.startsWith(`${name.replaceAll(".", "_")}_bucket`)),
    );
    expect(without).toEqual([]);
  });
});

describe("the labels of metrics and the attributes of spans", () => {
  const marker = "canary";
  const own = (all: Page[]) => all.filter(({ name }) => name !== "envoy" && name !== "parts");
  const labelsOf = (all: Page[]) =>
    own(all).flatMap(({ samples }) => samples.filter(({ name }) => name !== "target_info").map(({ labels }) => labels));
  const keysOf = (all: Page[]) =>
    new Set(
      all.flatMap(({ name: page, samples }) =>
        samples.map(({ name, labels }) => `${page} ${name} ${JSON.stringify(labels)}`),
      ),
    );

  it("are from closed sets, whatever strangers send by any protocol [beyond.20]", async () => {
    await attack(mesh.edge, marker);
    const before = keysOf(await allPages(mesh));
    await attack(mesh.edge, marker);
    const after = await allPages(mesh);
    expect(unboundedLabels(labelsOf(after))).toEqual([]);
    // The same calls with other words in them have made no series that the first ones had not, but for a few of chance.
    expect(keysOf(after).difference(before).size).toBeLessThan(before.size / 50);
    const words = new RegExp(`${marker}|@example|Bearer|eyJ[A-Za-z0-9_-]{8}`);
    expect(after.filter(({ text }) => words.test(text)).map(({ name }) => name)).toEqual([]);
    const spans = await spansOf(mesh.jaeger, words);
    expect(spans.count).toBeGreaterThan(100);
    expect(spans.leaks).toEqual([]);
  });

  it("that hold an id, a path or an address are found", () => {
    const strange = (labels: Record<string, string>) => unboundedLabels([labels]);
    expect(strange({ taskmesh_channel: "ann@example.com" })).toHaveLength(1);
    expect(strange({ user_id: "01900000-0000-7000-8000-000000000000" })).toEqual(["user_id is in no table"]);
    const paths = Array.from({ length: 200 }, (_, id) => ({ http_route: `/v1/tasks/${id}` }));
    expect(unboundedLabels(paths)).toEqual([expect.stringContaining("http.route has 200 values")]);
  });
});

/** Every tag of every span that Jaeger has, as far as it has those words. */
async function spansOf(jaeger: string, words: RegExp): Promise<{ count: number; leaks: string[] }> {
  const ask = async (path: string) => ((await (await fetch(jaeger + path)).json()) as { data: unknown[] }).data;
  const services = (await ask("/api/services")) as string[];
  let count = 0;
  const leaks = new Set<string>();
  for (const service of services) {
    const traces = (await ask(`/api/traces?service=${service}&limit=1500&lookback=1h`)) as {
      spans: { operationName: string; tags: { key: string; value: unknown }[] }[];
    }[];
    for (const { operationName, tags } of traces.flatMap(({ spans }) => spans)) {
      count += 1;
      for (const { key, value } of [...tags, { key: "name", value: operationName }]) {
        if (words.test(`${key} ${value}`)) leaks.add(`${service}: ${key} = ${String(value).slice(0, 80)}`);
      }
    }
  }
  return { count, leaks: [...leaks] };
}
