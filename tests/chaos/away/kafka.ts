import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../_util/until.ts";
import { inboxOf } from "./inbox.ts";
import { quantileMs, statusesOf } from "./load.ts";
import { endedBetween, type Finding, type Size, type Stage } from "./stage.ts";

/** Kafka is killed under load: nobody who calls may notice, and what was to be told waits and is told once. */
export async function kafkaAway(stage: Stage, { seconds, rps, patienceMs = 90_000 }: Size): Promise<Finding> {
  const [ann, bob] = await stage.people("Ann", "Bob");
  const violations: string[] = [];
  const ended = await stage.restarts(["kafka"]);
  const load = await stage.load(ann, { rps, assigneeIds: [bob.userId] });
  await until("somebody to be told", async () => (await inboxOf(bob)).length > 0);

  const { id } = await stage.begin({ kind: "kill", target: "kafka" }, 600_000);
  const before = load.wishes.length;
  await delay(seconds * 1000);
  const lag = await stage.metric("task", "taskmesh_outbox_lag");
  const written = load.wishes.length - before;
  if (!(lag > seconds / 2)) violations.push(`events did not wait in the outbox (the oldest ${lag} s)`);
  await stage.heal(id);
  await stage.untilReady("kafka");
  await load.end();
  const back = performance.now();
  const wanted = load.wishes.flatMap(({ taskId }) => taskId ?? []);
  const told = await until(
    "everybody to be told",
    async () => {
      const ids = await inboxOf(bob);
      return ids.length >= wanted.length && ids;
    },
    { timeoutMs: patienceMs, everyMs: 250 },
  ).catch(async ({ message }) => {
    violations.push(message);
    return inboxOf(bob);
  });
  const drained = performance.now() - back;

  const failed = load.samples.filter(({ status }) => status !== 200);
  if (failed.length > 0) violations.push(`${failed.length} calls failed: ${statusesOf(failed)}`);
  const lost = wanted.filter((taskId) => !told.includes(taskId));
  if (lost.length > 0) violations.push(`${lost.length} of ${wanted.length} tasks were never told of`);
  if (new Set(told).size < told.length) violations.push(`${told.length - new Set(told).size} tasks were told of twice`);
  const restarted = endedBetween(ended, await stage.restarts(["kafka"]));
  if (restarted.length > 0) violations.push(`ended by themselves: ${restarted.join(", ")}`);
  return {
    figures: {
      requests: load.samples.length,
      "p99, ms": quantileMs(load.samples, 0.99),
      "oldest event in the outbox, s": Math.round(lag),
      "written while it was away": written,
      "all told after it was back, ms": Math.round(drained),
    },
    violations,
  };
}
