import type { Phase } from "../../../cli/load/open-loop.ts";
import { residentBytes } from "../../../cli/runner/process-table.ts";
import type { BenchMesh } from "../bench-mesh.ts";
import { mustBeStored } from "../creates.ts";
import type { Finding, Measure } from "../measure.ts";
import { noteLateness, type OpenOutcome, offeredRate, openLoad, outcomeOf } from "../open-load.ts";
import { during } from "../progress.ts";
import { type Effort, quantile, ratioOf } from "../ratio.ts";
import { figureOf, reportRound } from "../report.ts";
import type { Stage } from "../stage.ts";
import { registerPeople } from "../users/accounts.ts";
import { crowdSize, roomHere } from "../users/crowd-size.ts";
import { type Crowd, startCrowd } from "../users/start-crowd.ts";

const few = 100;
const accounts = 100;
const least = 1000;
const mostP95 = 50;
const mostKilobytes = 25;

/** P11: what the wait of each is when many others are connected, too. */
export const manyUsers: Measure = {
  id: "P11",
  title: `mixed calls, signed in: p99 with 10,000 users connected ÷ p99 with ${few}, at the same rate`,
  ours: "many users",
  peer: `${few} users`,
  seconds: 30,
  effort: { rounds: 3, warmUp: { answers: 5000, seconds: 15 } },
  run: async (stage, effort) => {
    const users = Math.min(crowdSize(roomHere()), effort.quick ? 1000 : Infinity);
    if (users < least) return { skipped: `there is room for ${users} connections: raise the limit of open files` };
    await using part = stage.part();
    return await run(part, effort, users);
  },
};

/** What Envoy has in memory, in bytes. */
interface EnvoyMemory {
  resident: number;
  /** What it has allocated: unlike the other, this falls again. */
  allocated: number;
}

async function run(stage: Stage, effort: Effort, users: number): Promise<Finding> {
  const { seconds } = effort;
  const phase = { rate: offeredRate(effort), seconds };
  const mesh = await stage.traced();
  const crowd = await stage.start("Starting a crowd", startCrowd);
  const people = await registerPeople(mesh, accounts);
  await crowd.tell({ do: "meet", edge: mesh.mesh.edge, people });

  const growth: EnvoyMemory[] = [];
  const ratio = await ratioOf<OpenOutcome>({
    effort,
    ours: async (counted) => {
      if (!counted) return warmUp({ mesh, crowd, users: few, phase });
      const before = await envoyMemory(mesh);
      return once({ mesh, crowd, users, phase }, async () => {
        const after = await envoyMemory(mesh);
        const each = (kind: keyof EnvoyMemory) => (after[kind] - before[kind]) / users;
        growth.push({ resident: each("resident"), allocated: each("allocated") });
      });
    },
    peer: (counted) => (counted ? once : warmUp)({ mesh, crowd, users: few, phase }),
    of: ({ p99 }) => p99,
    onRound: (round, result) => reportRound(manyUsers, effort.rounds, round, { ...result, tell }),
  });
  await mustBeStored(mesh.database, new Set(await crowd.tell({ do: "created" })));

  const p95 = quantile(
    ratio.rounds.map((round) => round.ours.p95),
    0.5,
  );
  const think = (count: number) => `${(count / phase.rate).toFixed(1)} s`;
  const notes = [
    `${openLoad(effort)}; the goal of 2,000/s asks for more cores`,
    `${users} users, each with a kept connection and ${think(users)} of think time, against ${few} with ${think(few)}; they share ${accounts} accounts`,
    ...(users < 10_000 && !effort.quick ? [`10,000 do not fit here: open files and memory allow ${users}`] : []),
    `errors: 0, connections lost: 0; p95 with all of them ${p95.toFixed(1)} ms (goal below ${mostP95} ms, ${p95 < mostP95 ? "kept" : "missed"})`,
    noteMemory(growth),
    ...noteLateness(ratio.rounds.flatMap((round) => [round.ours, round.peer])),
  ];
  const figure = figureOf("p99", ratio, { ours: tell(ratio.ours), peer: tell(ratio.peer), goal: { atMost: 1.5 } });
  return { figures: [figure], notes, details: { ratio, users, bytesEachConnection: growth } };
}

interface Connected {
  mesh: BenchMesh;
  crowd: Crowd;
  users: number;
  phase: Phase;
}

/** To make code fast it takes calls, kept full, and no connections: one mesh warms up for both sides. */
async function warmUp({ mesh, crowd, users, phase }: Connected): Promise<OpenOutcome> {
  const seconds = phase.seconds / 4;
  await crowd.tell({ do: "open", users });
  const done = await crowd.tell({ do: "warmUp", seconds });
  await crowd.tell({ do: "close" });
  await mesh.drain();
  return { ...done, seconds, p50: 0, p95: 0, p99: Number.NaN, rateKept: true };
}

/** Connects so many users, lets them work, and looks at things while they are still there. */
async function once({ mesh, crowd, users, phase }: Connected, look = async () => {}): Promise<OpenOutcome> {
  const opening = crowd.tell({ do: "open", users });
  await (users > few ? during(`Connecting ${users} users`, opening) : opening);
  const { result, lost } = await crowd.tell({ do: "run", phase });
  await look();
  await crowd.tell({ do: "close" });
  const outcome = outcomeOf(result);
  if (lost > 0) throw new Error(`${lost} of ${users} connections were lost; none may be`);
  await mesh.drain();
  await mesh.checkpoint();
  return outcome;
}

async function envoyMemory(mesh: BenchMesh): Promise<EnvoyMemory> {
  const page = await (await fetch(`${mesh.mesh.admin}/stats?filter=^server.memory_allocated`)).text();
  const allocated = Number(/memory_allocated: (\d+)/.exec(page)?.[1]);
  return { resident: await residentBytes(mesh.pids().get("envoy") as number), allocated };
}

function noteMemory(growth: readonly EnvoyMemory[]): string {
  const allocated = quantile(
    growth.map((each) => each.allocated),
    0.5,
  );
  const kilobytes = (bytes: number) => (bytes / 1000).toFixed(1);
  const resident = growth[0]?.resident ?? Number.NaN;
  const kept = Math.max(allocated, resident) / 1000 <= mostKilobytes ? "kept" : "missed";
  return (
    `Envoy takes ${kilobytes(allocated)} KB for each connection by what it allocates, ${kilobytes(resident)} KB by its resident ` +
    `memory when they first come (goal at most ${mostKilobytes} KB, ${kept})`
  );
}

function tell({ p50, p95, p99, rate }: OpenOutcome): string {
  if (Number.isNaN(p99)) return `${rate.toFixed(0)}/s kept full`;
  return `p99 ${p99.toFixed(1)} ms   p95 ${p95.toFixed(1)} ms   p50 ${p50.toFixed(1)} ms   ${rate.toFixed(0)}/s`;
}
