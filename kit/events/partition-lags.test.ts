import { afterEach, beforeEach, expect, test } from "vitest";
import { setMeter } from "#observability/metrics.ts";
import { PrometheusMeter } from "#observability/prometheus-meter.ts";
import { PartitionLags } from "./partition-lags.ts";

const topic = "task.events.v1";
let meter: PrometheusMeter;
let lags: PartitionLags;

beforeEach(() => {
  meter = new PrometheusMeter({});
  setMeter(meter);
  lags = new PartitionLags("email");
});
afterEach(() => {
  lags.close();
  setMeter(undefined);
});

/** The values of a metric by partition. */
function told(metric: "assigned" | "lag" | "offset"): Record<string, number> {
  const line = new RegExp(
    `^taskmesh_consumer_${metric}\\{.*group_name="email".*partition_id="(\\d+)"\\} (\\S+)$`,
    "gm",
  );
  return Object.fromEntries([...meter.render("text").matchAll(line)].map(([, id = "", value]) => [id, Number(value)]));
}

test("tells which partitions are its own, and how far it is in those that it has heard of", () => {
  lags.assigned({ [topic]: [0, 1] });
  lags.fetched(topic, 0, { first: 10, end: 15 });
  expect(told("assigned")).toEqual({ 0: 1, 1: 1 });
  expect(told("lag")).toEqual({ 0: 5 });
  lags.handled(topic, 0, 12);
  expect(told("lag")).toEqual({ 0: 2 });
  expect(told("offset")).toEqual({ 0: 13 });
  lags.handled(topic, 0, 14);
  expect(told("lag")).toEqual({ 0: 0 });
});

test("falls silent about a partition that it has lost, and about what still happens there", () => {
  lags.assigned({ [topic]: [0, 1] });
  lags.fetched(topic, 1, { first: 0, end: 3 });
  lags.assigned({ [topic]: [0] });
  lags.handled(topic, 1, 0);
  lags.fetched(topic, 1, { first: 1, end: 9 });
  expect([told("assigned"), told("lag"), told("offset")]).toEqual([{ 0: 1 }, {}, {}]);
});

test("keeps what it knows of a partition that stays, and ends with its session", () => {
  lags.assigned({ [topic]: [2] });
  lags.fetched(topic, 2, { first: 4, end: 6 });
  lags.assigned({ [topic]: [2, 3] });
  expect(told("lag")).toEqual({ 2: 2 });
  lags.close();
  expect(told("assigned")).toEqual({});
});
