import { tmpdir } from "node:os";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { parseMetrics, type Sample } from "../../../cli/metrics/parse.ts";
import { openPartsMetrics, type PartSources, type PartsMetrics } from "../../../cli/parts-metrics/parts-metrics.ts";
import { until } from "../../_util/until.ts";

let parts: PartsMetrics;
let sources: PartSources;

beforeEach(() => {
  sources = {
    postgres: inject("postgres"),
    redis: inject("redis"),
    kafka: inject("kafka"),
    dataFolder: tmpdir(),
    processes: [{ name: "test", pid: process.pid }],
  };
  parts = openPartsMetrics(() => sources);
});
afterEach(() => parts.close());

const samples = async () => parseMetrics(await parts.read());
const seriesValue = (all: readonly Sample[], name: string, labels: Record<string, string> = {}) =>
  all.find((one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value))
    ?.value;

describe("the metrics of the parts", () => {
  it("have the names of the standard exporters, and values", async () => {
    const all = await until("all parts to answer", async () => {
      const now = await samples();
      return ["pg_up", "redis_up", "kafka_up"].every((up) => seriesValue(now, up) === 1) && now;
    });
    for (const positive of [
      "pg_settings_max_connections",
      "pg_database_size_bytes",
      "redis_memory_used_bytes",
      "redis_memory_max_bytes",
      "redis_commands_processed_total",
      "redis_connected_clients",
      "node_filesystem_size_bytes",
      "node_filesystem_avail_bytes",
      "namedprocess_namegroup_memory_bytes",
    ]) {
      expect(seriesValue(all, positive), positive).toBeGreaterThan(0);
    }
    expect(seriesValue(all, "redis_evicted_keys_total")).toBeGreaterThanOrEqual(0);
    expect(seriesValue(all, "pg_stat_activity_count", { datname: "postgres", state: "idle" })).toBeGreaterThanOrEqual(
      0,
    );
  });

  it("show how long sessions wait for the disk", async () => {
    const waited = async () =>
      seriesValue(await samples(), "pg_stat_io_wait_seconds_total", { operation: "fsync" }) ?? 0;
    const before = await waited();
    const client = new pg.Client({ connectionString: inject("postgres") });
    await client.connect();
    try {
      await client.query("SET track_wal_io_timing = on");
      await client.query("CREATE TABLE parts_metrics_disk AS SELECT generate_series(1, 100)");
      await client.query("DROP TABLE parts_metrics_disk");
    } finally {
      await client.end();
    }
    await until("its time to be told", async () => (await waited()) > before);
  });

  it("show a session that leaves its transaction open, and how long", async () => {
    const client = new pg.Client({ connectionString: inject("postgres") });
    await client.connect();
    try {
      await client.query("BEGIN");
      await client.query("SELECT pg_sleep(0.05)");
      const all = await until("PostgreSQL to answer", async () => {
        const now = await samples();
        return seriesValue(now, "pg_up") === 1 && now;
      });
      const open = { datname: "postgres", state: "idle in transaction" };
      expect(seriesValue(all, "pg_stat_activity_count", open)).toBeGreaterThanOrEqual(1);
      expect(seriesValue(all, "pg_stat_activity_max_tx_duration", open)).toBeGreaterThan(0.04);
    } finally {
      await client.end();
    }
  });

  it("say which parts are away, and go on with the others", async () => {
    await parts.close();
    sources = {
      ...sources,
      postgres: "postgres://nobody@127.0.0.1:9/postgres",
      redis: "redis://127.0.0.1:9",
      kafka: "127.0.0.1:9",
    };
    parts = openPartsMetrics(() => sources);
    const all = await samples();
    for (const up of ["pg_up", "redis_up", "kafka_up"]) expect(seriesValue(all, up), up).toBe(0);
    expect(seriesValue(all, "node_filesystem_size_bytes")).toBeGreaterThan(0);
  });

  it("are asked for once, however many look at a time", async () => {
    const pages = await Promise.all([parts.read(), parts.read(), parts.read()]);
    expect(new Set(pages).size).toBe(1);
  });
});
