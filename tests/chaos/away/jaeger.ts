import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "../../../cli/runner/fault/fault.ts";
import { until } from "../../_util/until.ts";
import { quantileMs, statusesOf } from "./load.ts";
import { endedBetween, type Finding, type Size, type Stage } from "./stage.ts";

const units = ["gateway", "task", "auth", "user", "notification"];
const processed = "otel_sdk_processor_span_processed";

const faults: Record<string, Fault> = {
  "refusing connections": { kind: "cut", target: "jaeger", how: "refuse" },
  "taking and never answering": { kind: "cut", target: "jaeger", how: "blackhole" },
  slow: { kind: "slow", target: "jaeger", toxics: { latencyMs: 1500 } },
  killed: { kind: "kill", target: "jaeger" },
};

/** Jaeger refuses, hangs, is slow and is killed, one after the other: no call may notice, and what cannot be sent is counted. */
export async function jaegerAway(stage: Stage, { seconds, rps }: Size): Promise<Finding> {
  const [ann] = await stage.people("Ann");
  const violations: string[] = [];
  const figures: Finding["figures"] = {};
  const ended = await stage.restarts(["jaeger"]);
  const load = await stage.load(ann, { rps });
  const sent = () => spans(stage, (error) => error === "");
  const began = await sent();
  await until("spans to arrive", async () => (await sent()) > began + rps);
  const before = { lost: await spans(stage, (error) => error !== "") };
  if (before.lost > 0) violations.push(`${before.lost} spans were lost with Jaeger up`);

  for (const [name, fault] of Object.entries(faults)) {
    const lostBefore = await spans(stage, (error) => error !== "");
    const from = performance.now();
    const { id } = await stage.begin(fault, 600_000);
    await delay(seconds * 1000);
    await stage.heal(id);
    await stage.untilReady("jaeger");
    const inside = load.samples.filter(({ at }) => at >= from);
    figures[`p50/p99 ${name}, ms`] = `${quantileMs(inside, 0.5)}/${quantileMs(inside, 0.99)}`;
    figures[`spans lost ${name}`] = (await spans(stage, (error) => error !== "")) - lostBefore;
  }
  const healed = await sent();
  await until("spans to arrive again", async () => (await sent()) > healed + rps);
  await load.end();

  const lost = await spans(stage, (error) => error !== "");
  if (lost === before.lost) violations.push("spans that could not be sent were not counted");
  const queue = await most(stage, "otel_sdk_processor_span_queue_size");
  const capacity = await most(stage, "otel_sdk_processor_span_queue_capacity");
  figures["queue, spans"] = `${queue} of ${capacity}`;
  if (!(capacity > 0) || queue > capacity)
    violations.push(`the queue of spans is not bounded (${queue} of ${capacity})`);
  const failed = load.samples.filter(({ status }) => status !== 200);
  if (failed.length > 0) violations.push(`${failed.length} calls failed: ${statusesOf(failed)}`);
  const restarted = endedBetween(ended, await stage.restarts(["jaeger"]));
  if (restarted.length > 0) violations.push(`ended by themselves: ${restarted.join(", ")}`);
  return { figures: { requests: load.samples.length, ...figures }, violations };
}

async function spans(stage: Stage, hasError: (error: string) => boolean): Promise<number> {
  const counts = await Promise.all(
    units.flatMap((unit) =>
      [processed, `${processed}_total`].map((name) => stage.metric(unit, name, { error_type: hasError })),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function most(stage: Stage, name: string): Promise<number> {
  return Math.max(...(await Promise.all(units.map((unit) => stage.metric(unit, name)))));
}
