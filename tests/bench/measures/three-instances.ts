import { HttpClient } from "../../../cli/load/http.ts";
import type { Phase } from "../../../cli/load/open-loop.ts";
import { Person } from "../../_util/person.ts";
import type { BenchMesh } from "../bench-mesh.ts";
import { CpuMeter, noteEach } from "../cpu-time.ts";
import { mustBeStored } from "../creates.ts";
import { type CallCounts, countCalls, type Spread, spreadsBetween } from "../instance-calls.ts";
import type { Finding, Measure } from "../measure.ts";
import { MixedCalls, type SignedIn } from "../mixed-calls.ts";
import { keepFull, noteLateness, type OpenOutcome, offer, offeredRate, openLoad, underWay } from "../open-load.ts";
import { during } from "../progress.ts";
import { answersOf, type Effort, middleOf, ratioOf } from "../ratio.ts";
import { figureOf, reportRound } from "../report.ts";
import type { Stage } from "../stage.ts";

const services = ["gateway", "auth", "user", "task", "notification"] as const;
const copies = 3;
const people = 20;
const connections = 64;
const mostSpread = 0.05;

/** P8: what each call costs when there are more instances that could answer it. */
export const threeInstances: Measure = {
  id: "P8",
  title: `mixed calls, signed in: CPU with ${copies} instances of each stateless service ÷ CPU with 1`,
  ours: `${copies} of each`,
  peer: "1 of each",
  seconds: 20,
  effort: { rounds: 3, warmUp: { answers: 10_000, seconds: 30 } },
  run: async (stage, effort) => {
    if (process.platform !== "linux") return { skipped: "CPU time is read from /proc, which only Linux has" };
    await using part = stage.part();
    return await run(part, effort);
  },
};

/** One run: how much CPU the whole mesh took, and how much of it the stateless services. */
interface Run extends OpenOutcome {
  /** Seconds for 1,000 requests. */
  cpu: number;
  servicesCpu: number;
}

/** One of two meshes that stand side by side, of which one at a time has work. */
interface Side {
  mesh: BenchMesh;
  client: HttpClient;
  calls: MixedCalls;
  instances: number;
  cpu: CpuMeter;
  /** Rates while it was kept full, to make its code fast. */
  full: number[];
}

async function run(stage: Stage, effort: Effort): Promise<Finding> {
  const { seconds } = effort;
  const phase = { rate: offeredRate(effort), seconds };
  const peer = await sideOf(stage, 1);
  const ours = await sideOf(stage, copies);
  const counts: { before?: CallCounts; after?: CallCounts } = {};
  const ratio = await ratioOf<Run>({
    effort,
    ours: async (counted) => {
      counts.before ??= await countCalls(ours.mesh.adminPages(), services);
      const outcome = await (counted ? once(ours, phase) : warmUp(ours, seconds));
      counts.after = await countCalls(ours.mesh.adminPages(), services);
      return outcome;
    },
    peer: (counted) => (counted ? once(peer, phase) : warmUp(peer, seconds)),
    of: ({ cpu }) => cpu,
    onRound: (round, result) => reportRound(threeInstances, effort.rounds, round, { ...result, tell: tellCpu }),
  });
  for (const { mesh, calls } of [ours, peer]) await mustBeStored(mesh.database, calls.created);

  const spreads = spreadsBetween(counts.before as CallCounts, counts.after as CallCounts, services);
  const ofServices = middleOf(ratio.rounds.map((round) => round.ours.servicesCpu / round.peer.servicesCpu));
  const cpu = { ours: ours.cpu.each(answersOf(ratio, "ours")), peer: peer.cpu.each(answersOf(ratio, "peer")) };
  const sides = { ours: tell(ratio.ours), peer: tell(ratio.peer) };
  const notes = [
    `${openLoad(effort)}, by ${people} people over ${connections} connections; 1 request in 10 is traced where there is a Jaeger`,
    `of the stateless services alone the ratio is ${ofServices.median.toFixed(3)}; above, all processes and parts count`,
    noteSpreads(spreads),
    noteFull(ours, peer),
    ...noteLateness(ratio.rounds.flatMap((round) => [round.ours, round.peer])),
    ...noteEach(`CPU of each call, ${copies} instances`, cpu.ours),
    ...noteEach("CPU of each call, 1 instance", cpu.peer),
  ];
  const details = {
    ratio,
    spreads: Object.fromEntries(spreads),
    ofServices,
    full: { ours: ours.full, peer: peer.full },
  };
  const figure = figureOf("CPU of each call", ratio, { ...sides, goal: { atMost: 1.05 } });
  return { figures: [figure], notes, details: { ...details, cpuMicrosecondsEach: cpu } };
}

async function sideOf(stage: Stage, instances: number): Promise<Side> {
  const mesh = await stage.traced();
  if (instances > 1) await during(`Starting ${instances} instances of each service`, mesh.scale(services, instances));
  const users: SignedIn[] = [];
  while (users.length < people - 1) users.push(await Person.register(mesh.mesh.edge, "Bench"));
  users.push(await mesh.signIn());
  const client = new HttpClient(new URL(mesh.mesh.edge), connections);
  await stage.start("Opening connections", async () => ({ stop: async () => client.close() }));
  const calls = await MixedCalls.prepare(client, users);
  return { mesh, client, calls, instances, cpu: new CpuMeter(() => mesh.pids()), full: [] };
}

async function once({ mesh, client, calls, cpu }: Side, phase: Phase): Promise<Run> {
  const meter = new CpuMeter(() => mesh.pids());
  const work = async () => {
    const outcome = await offer(client, calls, phase);
    await mesh.drain();
    return outcome;
  };
  const outcome = await cpu.during(() => meter.during(work));
  await mesh.checkpoint();
  const each = (sum: number) => (sum * 1000) / outcome.answers;
  const isStateless = (name: string) => services.some((service) => name.startsWith(`${service}-`));
  return { ...outcome, cpu: each(meter.total()), servicesCpu: each(meter.total(isStateless)) };
}

/** Kept full, for V8 compiles what has run often: each instance is to have answered as much, whether alone or of three. */
async function warmUp({ mesh, client, calls, instances, full }: Side, seconds: number): Promise<Run> {
  const { rate } = await keepFull((index) => calls.send(client, index), seconds / 2);
  full.push(rate);
  await mesh.drain();
  await mesh.checkpoint();
  const answers = (rate * seconds) / 2 / instances;
  const none = { p50: 0, p95: 0, p99: 0, cpu: Number.NaN, servicesCpu: Number.NaN, rateKept: true };
  return { ...none, answers, rate, seconds: seconds / 2 };
}

function tellCpu({ cpu, rate }: Run): string {
  return Number.isNaN(cpu) ? `${rate.toFixed(0)}/s kept full` : `${cpu.toFixed(2)} CPU seconds for 1,000 calls`;
}

function tell(run: Run): string {
  const { rate, p50, p99 } = run;
  return `${tellCpu(run)}   ${rate.toFixed(0)}/s   p50 ${p50.toFixed(1)} ms   p99 ${p99.toFixed(1)} ms`;
}

function noteSpreads(spreads: ReadonlyMap<string, Spread>): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const each = [...spreads].map(
    ([service, { calls, spread, byChance }]) =>
      `${service} ${percent(spread)} of ${calls} calls (by lot ${percent(byChance)})`,
  );
  const within = [...spreads.values()].every(({ spread }) => spread <= mostSpread) ? "kept" : "missed";
  return `calls of the most busy instance less those of the least busy, over the mean: ${each.join(", ")}; goal at most 5 %, ${within}`;
}

function noteFull(ours: Side, peer: Side): string {
  const last = ({ full }: Side) => `${full.at(-1)?.toFixed(0)}/s`;
  return (
    `kept full, with ${underWay} calls under way, ${copies} instances gave ${last(ours)} and 1 gave ${last(peer)}; ` +
    "the goal of 1,500/s asks for more cores where that is less"
  );
}
