import { randomUUID } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Taskmesh } from "../../../clients/typescript/src/client.ts";
import { watch } from "../../../clients/typescript/src/watch.ts";
import { call, type Person } from "../../_util/person.ts";
import { until } from "../../_util/until.ts";
import { quantileMs, type Sample, statusesOf } from "./load.ts";
import { endedBetween, type Finding, type Size, type Stage } from "./stage.ts";

/** Redis is killed and comes back empty, then hangs: nobody but the limits may notice. */
export async function redisAway(stage: Stage, { seconds, rps, patienceMs = 30_000 }: Size): Promise<Finding> {
  const { edge } = stage.mesh;
  const [ann, bob, eve, fay] = await stage.people("Ann", "Bob", "Eve", "Fay");
  const violations: string[] = [];
  const expect = (holds: boolean, otherwise: string) => holds || violations.push(otherwise);
  const ended = await stage.restarts(["redis"]);
  const stream = listen(bob);
  const load = await stage.load(ann, { rps });
  await logOut(eve);
  await until("a session that is over to be refused", () => isRefused(eve));
  await until("limits in Redis", async () => (await limited(stage, "redis")) > 0);
  await delay(1000);

  const told: Finding["figures"] = {};
  const windows: { name: string; from: number; to: number }[] = [];
  const during = async (name: string, work: () => Promise<void>) => {
    const from = performance.now();
    const local = await limited(stage, "memory");
    await Promise.all([delay(seconds * 1000), work()]);
    expect((await limited(stage, "memory")) > local, `${name}: limits were not counted in the gateway`);
    windows.push({ name, from, to: performance.now() });
  };
  const untilShared = async () => {
    const shared = await limited(stage, "redis");
    await until("limits to be shared again", async () => (await limited(stage, "redis")) > shared);
  };
  const hears = async (name: string) => {
    const body = { title: name, assigneeIds: [bob.userId] };
    const { taskId } = await until(`a task ${name}`, () => ann.ask("POST /v1/tasks", body));
    const from = performance.now();
    const patience = { timeoutMs: patienceMs, everyMs: 20 };
    await until(`the stream to tell of a task ${name}`, () => stream.heard.has(taskId), patience).catch(({ message }) =>
      violations.push(message),
    );
    told[`stream told ${name}, ms`] = Math.round(performance.now() - from);
  };

  const killed = await stage.begin({ kind: "kill", target: "redis" }, 600_000);
  await during("killed", async () => {
    await emptyRedis(stage);
    expect(await isRefused(eve), "killed: a session that was over is taken again");
    await logOut(fay);
    await until("a session that ends meanwhile to be refused", () => isRefused(fay));
    expect(await isThrottled(edge), "killed: passwords can be tried without end");
    await hears("while Redis is dead");
  });
  await stage.heal(killed.id);
  await stage.untilReady("redis");
  await untilShared();
  expect((await isRefused(eve)) && (await isRefused(fay)), "back, empty: a session that was over is taken again");
  await hears("after Redis came back empty");

  const halted = await stage.begin({ kind: "pause", target: "redis" }, 600_000);
  await during("halted", async () => {
    expect(await isRefused(eve), "halted: a session that was over is taken again");
    await hears("while Redis hangs");
  });
  await stage.heal(halted.id);
  await untilShared();
  await load.end();
  await stream.end();

  const failed = load.samples.filter(({ status }) => status === 0 || status >= 500);
  const when = windows.map(
    ({ name, from, to }) => `${failed.filter(({ at }) => at >= from && at < to).length} ${name}`,
  );
  expect(failed.length === 0, `${failed.length} calls failed: ${statusesOf(failed)} (of them ${when.join(", ")})`);
  const restarted = endedBetween(ended, await stage.restarts(["redis"]));
  expect(restarted.length === 0, `ended by themselves: ${restarted.join(", ")}`);
  return { figures: { ...figuresOf(load.samples, windows), ...told }, violations };
}

function figuresOf(samples: readonly Sample[], windows: readonly { name: string; from: number; to: number }[]) {
  const within = (from: number, to: number) => samples.filter(({ at }) => at >= from && at < to);
  const first = windows[0]?.from ?? 0;
  const figures: Record<string, string | number> = {
    requests: samples.length,
    statuses: statusesOf(samples),
    "p50/p99 before, ms": `${quantileMs(within(0, first), 0.5)}/${quantileMs(within(0, first), 0.99)}`,
  };
  for (const { name, from, to } of windows) {
    const inside = within(from, to);
    figures[`p50/p99 ${name}, ms`] = `${quantileMs(inside, 0.5)}/${quantileMs(inside, 0.99)}`;
    figures[`slowest ${name}, ms`] = quantileMs(inside, 1);
  }
  return figures;
}

function limited(stage: Stage, store: "redis" | "memory"): Promise<number> {
  return stage.metric("gateway", "taskmesh_limits_calls_total", { taskmesh_limits_store: store });
}

async function logOut(person: Person): Promise<void> {
  await until("a session to be over", async () =>
    [200, 401].includes((await person.call("POST /v1/auth/logout", {})).status),
  );
}

async function isRefused(person: Person): Promise<boolean> {
  return (await person.call("GET /v1/tasks?pageSize=1")).status === 401;
}

/** Whether somebody who does not know the password has to wait after a few tries. */
async function isThrottled(edge: string): Promise<boolean> {
  const email = `guessed.${randomUUID().slice(0, 8)}@example.com`;
  for (let tries = 0; tries < 8; tries++) {
    const { status } = await call(edge, "POST /v1/auth/login", { email, password: randomUUID() });
    if (status === 429) return true;
  }
  return false;
}

/** What an append-only file had kept is gone when it starts again. */
async function emptyRedis(stage: Stage): Promise<void> {
  const folder = join(stage.home, "data", "redis");
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

/** A live stream of somebody's notifications, and the tasks that it has told of. */
function listen(person: Person) {
  const tokens = { accessToken: person.token, refreshToken: "", expiresIn: 900 };
  const client = new Taskmesh({ baseUrl: person.edge, tokens });
  const leaving = new AbortController();
  const heard = new Set<string>();
  const { watchNotifications } = client.notifications;
  const reading = (async () => {
    for await (const { change } of watch(watchNotifications, {}, { signal: leaving.signal })) {
      if (change.case === "created") heard.add(change.value.taskId);
    }
  })().catch(() => {});
  return {
    heard,
    end: async () => {
      leaving.abort();
      await reading;
    },
  };
}
