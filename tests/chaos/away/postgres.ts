import { setTimeout as delay } from "node:timers/promises";
import type { Person } from "../../_util/person.ts";
import { until } from "../../_util/until.ts";
import { type Load, quantileMs, type Sample, statusesOf } from "./load.ts";
import { holdTable, takeAllConnections } from "./sessions.ts";
import { endedBetween, type Finding, type Size, type Stage } from "./stage.ts";

/** A crowd beside the load that no pool has connections for. */
const crowdRps = 40;

/** How long a gateway waits for an RPC, in milliseconds, and the share of the failures that may come only then. */
const waitMs = 2000;
const mostLate = 0.1;

interface Trouble {
  /** Brings a fault about, with a crowd beside the load if there is one, heals it, and looks at what became of the calls. */
  during(name: string, fault: () => Promise<() => Promise<void>>, crowd?: Load): Promise<void>;
  author: Person;
}

/** PostgreSQL is killed, hangs, and has no connection left. */
export function postgresAway(stage: Stage, size: Size): Promise<Finding> {
  return inTrouble(stage, size, async ({ during }) => {
    await during("killed", async () => {
      const { id } = await stage.begin({ kind: "kill", target: "postgres" }, 600_000);
      return async () => {
        await stage.heal(id);
        await stage.untilReady("postgres");
      };
    });
    await during("halted", async () => {
      const { id } = await stage.begin({ kind: "pause", target: "postgres" }, 600_000);
      return () => stage.heal(id);
    });
    await during("without connections", () => takeAllConnections(stage));
  });
}

/** A table is held, and a crowd takes all connections of the pools to wait for it. */
export function poolsExhausted(stage: Stage, size: Size): Promise<Finding> {
  return inTrouble(stage, size, async ({ during, author }) => {
    const hold = () => holdTable(stage, { database: "task", table: "task" });
    await during("with its pools exhausted", hold, await stage.load(author, { rps: crowdRps }));
  });
}

/** Under load: every failure says when to come back, nothing is lost, and no process ends. */
async function inTrouble(
  stage: Stage,
  { seconds, rps, patienceMs = 60_000 }: Size,
  play: (trouble: Trouble) => Promise<void>,
): Promise<Finding> {
  const [ann] = await stage.people("Ann");
  const violations: string[] = [];
  const figures: Finding["figures"] = {};
  const ended = await stage.restarts(["postgres"]);
  const load = await stage.load(ann, { rps });

  const during = async (name: string, fault: () => Promise<() => Promise<void>>, crowd?: Load) => {
    const from = performance.now();
    const heal = await fault();
    await delay(seconds * 1000);
    await heal();
    figures[`back after ${name}, ms`] = Math.round(await untilWell(load, patienceMs));
    await crowd?.end();
    const inside = [...load.samples, ...(crowd?.samples ?? [])].filter(({ at }) => at >= from);
    const failed = inside.filter(({ status }) => status !== 200);
    figures[`statuses ${name}`] = statusesOf(inside);
    figures[`p99 of failures ${name}, ms`] = quantileMs(failed, 0.99);
    if (failed.length === 0) violations.push(`${name}: nobody noticed, so nothing was tested`);
    const told = failed.filter(({ status, retryAfter }) => status === 503 && retryAfter === true);
    if (told.length === 0) violations.push(`${name}: nobody was told when to come back`);
    // Where the machine cannot keep up, a service's answer may come after the gateway has stopped waiting for it.
    const late = failed.filter(({ status, ms }) => status === 504 && ms >= waitMs);
    figures[`failures that came too late ${name}`] = late.length;
    const mute = failed.filter((sample) => !told.includes(sample) && !late.includes(sample));
    if (late.length > failed.length * mostLate) mute.push(...late);
    if (mute.length > 0) violations.push(`${name}: not all failures are 503 with Retry-After: ${each(mute)}`);
  };
  await play({ during, author: ann });
  await load.end();

  const unsure = load.wishes.filter(({ taskId }) => taskId === undefined);
  for (const wish of unsure)
    await until(`an answer for ${wish.key}`, async () => (await load.ask(wish)).status === 200);
  figures.writes = load.wishes.length;
  figures["writes asked for again"] = unsure.length;
  violations.push(...(await miscounted(ann, load)));
  const restarted = endedBetween(ended, await stage.restarts(["postgres"]));
  if (restarted.length > 0) violations.push(`ended by themselves: ${restarted.join(", ")}`);
  return { figures, violations };
}

function each(samples: readonly Sample[]): string {
  const few = samples.slice(0, 5).map(({ write, ms }) => `a ${write ? "write" : "read"} after ${Math.round(ms)} ms`);
  return `${statusesOf(samples)} (${few.join(", ")}${samples.length > few.length ? ", …" : ""})`;
}

/** Milliseconds until a read and a write succeed again, both sent from now on, as the load sees it. */
async function untilWell(load: Load, timeoutMs: number): Promise<number> {
  const now = performance.now();
  const well = (write: boolean) =>
    load.samples.find((sample) => sample.at >= now && sample.write === write && sample.status === 200);
  const [read, write] = await until(
    "calls to succeed again",
    () => {
      const pair = [well(false), well(true)];
      return pair.every((sample) => sample !== undefined) && pair;
    },
    { timeoutMs, everyMs: 20 },
  );
  return Math.max(...[read, write].map((sample) => (sample?.at ?? 0) + (sample?.ms ?? 0))) - now;
}

/** Wishes that are not there exactly once. */
async function miscounted(author: Person, load: Load): Promise<string[]> {
  const counts = new Map<string, number>();
  let pageToken = "";
  do {
    const page = await author.ask(`GET /v1/tasks?pageSize=200&pageToken=${encodeURIComponent(pageToken)}`);
    for (const { title } of page.tasks) counts.set(title, (counts.get(title) ?? 0) + 1);
    pageToken = page.nextPageToken ?? "";
  } while (pageToken !== "");
  const wrong = load.wishes.map(({ title }) => counts.get(title) ?? 0).filter((count) => count !== 1);
  return wrong.length === 0
    ? []
    : [`${wrong.length} tasks are not there exactly once (${wrong.slice(0, 10).join(", ")})`];
}
