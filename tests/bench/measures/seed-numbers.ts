import { Redis } from "ioredis";
import type { LoadResult, Phase } from "../../../cli/load/open-loop.ts";
import { until } from "../../_util/until.ts";
import type { BenchMesh } from "../bench-mesh.ts";
import { CpuMeter } from "../cpu-time.ts";
import { mustBeStored } from "../creates.ts";
import type { Finding, Measure } from "../measure.ts";
import { memoryOf } from "../memory.ts";
import { underWay } from "../open-load.ts";
import { during, progress } from "../progress.ts";
import type { Effort } from "../ratio.ts";
import { type Measured, marksOf, type Offered, type Taken } from "../seeds/marks.ts";
import type { Stage } from "../stage.ts";
import { registerPeople } from "../users/accounts.ts";
import { crowdSize, roomHere } from "../users/crowd-size.ts";
import { type Crowd, startCrowd } from "../users/start-crowd.ts";

const services = ["gateway", "auth", "user", "task", "notification"] as const;
const accounts = 100;
const redisSeconds = 3;
/** Right answers one after the other by which a mesh that was asked for more than it can do is well again. */
const enoughAnswers = 50;

const connectionsQuery = `SELECT application_name AS name, count(*)::int AS count FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND application_name <> '' GROUP BY 1`;

/** The numbers that were promised for machines of all sizes, each as it is here. */
export const seedNumbers: Measure = {
  id: "SEEDS",
  title: "what was promised: rates, waits, users and sizes, each against what this machine gave",
  ours: "here",
  peer: "promised",
  seconds: 30,
  run: async (stage, effort) => {
    if (process.platform !== "linux")
      return { skipped: "memory and CPU time are read from /proc, which only Linux has" };
    await using part = stage.part();
    return await run(part, effort);
  },
};

interface Scene {
  mesh: BenchMesh;
  crowd: Crowd;
  seconds: number;
}

async function run(stage: Stage, effort: Effort): Promise<Finding> {
  const { quick = false, seconds } = effort;
  const room = crowdSize(roomHere());
  const [few, many] = quick ? [50, 200] : [Math.min(1000, room), room];
  const scaled = (rate: number) => (quick ? rate / 20 : rate);
  const mesh = await stage.traced();
  const crowd = await stage.start("Starting a crowd", startCrowd);
  const scene = { mesh, crowd, seconds };
  await crowd.tell({ do: "meet", edge: mesh.mesh.edge, people: await registerPeople(mesh, accounts) });

  const fullWithOne = await keepFull(scene);
  const one = { ...(await offer(scene, few, scaled(500))), ...(await taken(mesh)), full: fullWithOne };
  await during("Starting three instances of each service", mesh.scale(services, 3));
  const fullWithThree = await keepFull(scene);
  const three = { ...(await offer(scene, many, scaled(1500))), ...(await taken(mesh)), full: fullWithThree };
  const most = { ...(await offer(scene, many, scaled(5000))), ...(await taken(mesh)) };
  await mustBeStored(mesh.database, new Set(await crowd.tell({ do: "created" })));
  const measured: Measured = { one, three, most, redisReads: await redisReads(mesh) };

  const marks = marksOf(measured);
  const rate = (value: number) => `${value.toFixed(0)}/s`;
  const notes = [
    `open loop, ${seconds} s each, nine of ten calls read; every acknowledged task is in the database`,
    `kept full by ${underWay} calls under way: ${rate(fullWithOne.rate)} with one instance of each service, ${rate(fullWithThree.rate)} with three`,
    ...[one, three, most].map(tell),
    `${marks.filter(({ isMet }) => isMet).length} of ${marks.length} met; the load generator has the same cores`,
  ];
  return { figures: [], marks, notes, details: { measured } };
}

/** Offers the rate whatever becomes of it: answers that fail are part of the result. */
async function offer({ mesh, crowd, seconds }: Scene, users: number, rate: number): Promise<Offered> {
  const phase: Phase = { rate, seconds };
  await during(`Connecting ${users} users`, crowd.tell({ do: "open", users }));
  const { result } = await during(`Offering ${rate} calls a second`, crowd.tell({ do: "run", phase }));
  await crowd.tell({ do: "close" });
  const offered = offeredOf(result, users, rate);
  progress(`SEEDS ${tell(offered)}`);
  if (offered.errors > 0) await during("Waiting until it is well again", untilWell(mesh));
  await mesh.drain();
  await mesh.checkpoint();
  return offered;
}

async function untilWell({ mesh }: BenchMesh): Promise<void> {
  let inARow = 0;
  await until(
    "the mesh to be well again",
    async () => {
      inARow = (await fetch(`${mesh.edge}/health/ready`)).ok ? inARow + 1 : 0;
      return inARow >= enoughAnswers;
    },
    { timeoutMs: 120_000, everyMs: 50 },
  );
}

function offeredOf({ rate: answered, due, right, latency }: LoadResult, users: number, rate: number): Offered {
  const { mean, p95, p99 } = latency;
  return { users, rate, answered, errors: (due - right) / due, mean, p95, p99 };
}

function tell({ users, rate, answered, errors, mean, p95, p99 }: Offered): string {
  const waits = `mean ${mean.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`;
  return `${users} users, ${rate} calls a second offered: ${answered.toFixed(0)}/s answered, ${waits}, ${(errors * 100).toFixed(2)} % failed`;
}

/** Each call is followed by the next at once; makes the code fast, too. */
async function keepFull({ mesh, crowd, seconds }: Scene): Promise<Taken["full"]> {
  const meter = new CpuMeter(() => mesh.pids());
  await crowd.tell({ do: "open", users: underWay });
  await crowd.tell({ do: "warmUp", seconds });
  const work = async () => {
    const done = await crowd.tell({ do: "warmUp", seconds });
    await mesh.drain();
    return done;
  };
  const { rate, answers } = await during("Keeping it full", meter.during(work));
  await crowd.tell({ do: "close" });
  return { rate, cpu: (meter.total() * 1000) / answers };
}

async function taken(mesh: BenchMesh): Promise<Pick<Taken, "processes" | "connections">> {
  const { processes } = await memoryOf(mesh.mesh);
  const { rows } = await mesh.database.query<{ name: string; count: number }>(connectionsQuery);
  const ours = new Set(processes.map(({ name }) => name));
  // A process may have a second name for connections that listen: "task-1 relay".
  const counts = new Map<string, number>();
  for (const { name, count } of rows) {
    const [process = ""] = name.split(" ");
    if (ours.has(process)) counts.set(process, (counts.get(process) ?? 0) + count);
  }
  return { processes, connections: counts };
}

/** GETs a second, each on its own, by one client with 64 under way. */
async function redisReads(mesh: BenchMesh): Promise<number> {
  const { instances } = await mesh.mesh.status();
  const port = Object.values(instances.find(({ name }) => name === "redis")?.ports ?? {})[0];
  const redis = new Redis({ host: "127.0.0.1", port: port as number });
  const begin = performance.now();
  const elapsed = () => (performance.now() - begin) / 1000;
  let answers = 0;
  const loop = async () => {
    while (elapsed() < redisSeconds) {
      await redis.get("bench:nothing");
      answers++;
    }
  };
  try {
    await Promise.all(Array.from({ length: 64 }, loop));
    return answers / elapsed();
  } finally {
    redis.disconnect();
  }
}
