import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, expect, inject, it } from "vitest";
import type { OutgoingRecord } from "#kit/events/producer.ts";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { openStage, type SchedulerStage } from "./scheduler-stage.ts";
import { taskEvent } from "./stack.ts";

const count = 300;
const minute = 60_000;

let stage: SchedulerStage;
const running: ChildProcess[] = [];
const people: string[] = [];
beforeEach(async () => {
  stage = await openStage("leaders");
  await stage.database.query("CREATE SEQUENCE death");
  people.splice(0, people.length, ...Array.from({ length: 20 }, () => stage.peers.addPerson().userId));
});
afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  await Promise.all(running.splice(0).map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
  await stage.close();
});

/** Three of them, none of which begins before all are there. */
async function startThree(mutant?: string): Promise<ChildProcess[]> {
  const children = ["a", "b", "c"].map((name) => start(name, mutant));
  await Promise.all(children.map((child) => once(child.stdout as NodeJS.ReadableStream, "data")));
  for (const child of children) child.stdin?.write("go\n");
  return children;
}

function start(name: string, mutant?: string): ChildProcess {
  const script = fileURLToPath(new URL("./scheduler-process.ts", import.meta.url));
  const { databaseUrl: url, brokers, id: group, topic, peers } = stage;
  const files = peers.identityFiles("consumers");
  const hook = mutant === undefined ? [] : ["--import", new URL(`./mutants/${mutant}.ts`, import.meta.url).href];
  const options = {
    url,
    broker: brokers[0],
    group,
    topic,
    mesh: peers.address,
    redisUrl: inject("redis"),
    name,
    ...files,
  };
  const child = spawn(process.execPath, [...hook, script, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, LOG_LEVEL: "silent" },
  });
  running.push(child);
  return child;
}

/** Set a minute ago for half a minute later: due as soon as they are heard of. */
const due = (): OutgoingRecord[] =>
  Array.from({ length: count }, (_, index) => {
    const userId = people[index % people.length] as string;
    const [setAt, at] = [Date.now() - minute, Date.now() - minute / 2].map((time) => timestampFromDate(new Date(time)));
    return taskEvent(stage.topic, {
      title: `task ${index}`,
      memberIds: [userId],
      occurTime: setAt,
      fact: { case: "reminderSet", value: { userId, reminder: { reminderId: newId(), at } } },
    });
  });

interface Sums {
  waiting: number;
  fired: number;
  entries: number;
  reminders: number;
  requested: number;
}

async function sums(): Promise<Sums> {
  const [row] = await stage.database.query<Sums>(`SELECT
    (SELECT count(*)::int FROM schedule WHERE state = 'waiting') AS waiting,
    (SELECT count(*)::int FROM schedule WHERE state = 'fired') AS fired,
    (SELECT count(*)::int FROM notification) AS entries,
    (SELECT count(DISTINCT source_event_id)::int FROM notification) AS reminders,
    (SELECT count(*)::int FROM outbox_event WHERE type = 'notification.v1.DeliveryRequested') AS requested`);
  return row as Sums;
}

const allFired = () =>
  until("every reminder to be taken", async () => (await sums()).fired === count, { timeoutMs: 60_000 });

it("of three schedulers one leads, and whichever is killed in the middle, each reminder comes exactly once [003.07]", async () => {
  // Before any leader, so that it finds more than one batch.
  await stage.collect(due(), count);
  const children = await startThree();
  await allFired();
  expect(children.filter(({ signalCode }) => signalCode === "SIGKILL")).toHaveLength(2);
  expect(await stage.leaders()).toHaveLength(1);
  expect(await sums()).toEqual({ waiting: 0, fired: count, entries: count, reminders: count, requested: count });
});

it("the test sees it when everybody leads and takes what is taken", async () => {
  await stage.database.query("SELECT setval('death', 2)");
  await stage.collect(due(), count);
  await startThree("everybody-leads");
  await allFired();
  const { entries, reminders } = await sums();
  expect(reminders).toBe(count);
  expect(entries).toBeGreaterThan(count);
});
