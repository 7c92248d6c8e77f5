import pg from "pg";
import { databaseUrl, ensureDatabases } from "../../../cli/runner/db/databases.ts";
import { CpuMeter, generator, noteEach } from "../cpu-time.ts";
import { Creates } from "../creates.ts";
import { closedLoop, load } from "../load.ts";
import type { Finding, Measure } from "../measure.ts";
import { startPeer } from "../peers/start-peer.ts";
import { answersOf, type Effort, ratioOf } from "../ratio.ts";
import { rateFigure, reportRound } from "../report.ts";
import type { Stage } from "../stage.ts";

const database = "bench_monolith";

/** P1: what the whole mesh costs, beside one process that writes the same rows. */
export const createTask: Measure = {
  id: "P1",
  title: "create a task: the whole mesh ÷ a bare fastify and pg service",
  ours: "mesh",
  peer: "bare",
  seconds: 8,
  run: async (stage, effort) => {
    await using part = stage.part();
    return await run(part, effort);
  },
};

async function run(stage: Stage, effort: Effort): Promise<Finding> {
  const { seconds } = effort;
  const mesh = await stage.traced();
  const person = await mesh.signIn();
  const ours = new Creates({ url: `${person.edge}/v1/tasks`, headers: { authorization: `Bearer ${person.token}` } });
  const bare = await startBare(stage, mesh.adminUrl);
  const peer = new Creates({ url: `${bare.url}/v1/tasks` });

  const meshCpu = new CpuMeter(() => new Map([...mesh.pids(), generator]));
  const bareCpu = new CpuMeter(() => new Map([["bare", bare.pid], ...postgresOf(mesh.pids()), generator]));
  const drains: { unsent: number; seconds: number }[] = [];
  const oneOfOurs = async () => {
    const outcome = await load(ours.load(seconds));
    drains.push(await mesh.drain());
    return outcome;
  };
  const ratio = await ratioOf({
    effort,
    ours: async (counted) => {
      const outcome = await (counted ? meshCpu.during(oneOfOurs) : oneOfOurs());
      await mesh.checkpoint();
      return outcome;
    },
    peer: async (counted) => {
      const once = () => load(peer.load(seconds));
      const outcome = await (counted ? bareCpu.during(once) : once());
      await mesh.checkpoint();
      return outcome;
    },
    onRound: (round, result) => reportRound(createTask, effort.rounds, round, result),
  });
  await ours.mustBeStored(mesh.database);
  await peer.mustBeStored(bare.database);

  const cpu = { ours: meshCpu.each(answersOf(ratio, "ours")), peer: bareCpu.each(answersOf(ratio, "peer")) };
  const behind = drains.slice(-effort.rounds);
  const longest = Math.max(...behind.map((drain) => drain.seconds));
  const notes = [
    closedLoop,
    `${mesh.tracing ? "1 request in 10 is traced to Jaeger" : "there is no Jaeger, so nothing is traced"}; ` +
      "the relay, Kafka and the consumers run along",
    `when a run ends, at most ${Math.max(...behind.map(({ unsent }) => unsent))} events are unsent; ` +
      `at most ${longest.toFixed(1)} s later the last has had its effect`,
    `stored: all of ${ours.acknowledged} and ${peer.acknowledged} acknowledged tasks, each with its event`,
    ...noteEach("CPU of each create in the mesh, the effects of its event included", cpu.ours),
    ...noteEach("CPU of each create in the bare service", cpu.peer),
  ];
  return {
    figures: [rateFigure(ratio, { atLeast: 0.6 })],
    notes,
    details: { ratio, cpuMicrosecondsEach: cpu, drains, tracing: mesh.tracing },
  };
}

async function startBare(stage: Stage, adminUrl: string) {
  await ensureDatabases(adminUrl, [database]);
  const url = databaseUrl(adminUrl, database);
  return stage.start("Starting the bare service", async () => {
    const peer = await startPeer("monolith", { BENCH_DB_URL: url });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const stop = async () => {
      await client.end();
      await peer.stop();
    };
    return { url: peer.url, pid: peer.pid, database: client, stop };
  });
}

function postgresOf(pids: ReadonlyMap<string, number>): [string, number][] {
  return [...pids].filter(([name]) => name === "postgres");
}
