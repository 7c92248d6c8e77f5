import * as jaeger from "../../../cli/runner/parts/jaeger.ts";
import type { BenchMesh } from "../bench-mesh.ts";
import { CpuMeter, generator, noteEach } from "../cpu-time.ts";
import { Creates } from "../creates.ts";
import { closedLoop, load, type Outcome } from "../load.ts";
import type { Finding, Measure } from "../measure.ts";
import { during } from "../progress.ts";
import { answersOf, type Effort, ratioOf } from "../ratio.ts";
import { rateFigure, reportRound } from "../report.ts";
import { countEnvoySpans, countSpans, incompleteTraces, sampled, spread } from "../spans.ts";
import type { Stage } from "../stage.ts";

/** Requests of one measurement whose traces are looked at. */
const probes = 20;
/** Whoever has a part in a create, and so must have sent spans. */
const tracers = ["envoy", "gateway-1", "task-1", "consumers-1"];

/** P9: what tracing one request in ten costs, and whether the traces are there. */
export const tracingCost: Measure = {
  id: "P9",
  title: "create a task: 1 request in 10 traced to a live Jaeger ÷ no tracing",
  ours: "traced",
  peer: "untraced",
  seconds: 10,
  run: async (stage, effort) => {
    await using part = stage.part();
    return await run(part, effort);
  },
};

/** One of two meshes that stand side by side, of which one at a time has work. */
interface Side {
  mesh: BenchMesh;
  creates: Creates;
  /** While it has work, and while the other one has. */
  busy: CpuMeter;
  idle: CpuMeter;
}

async function run(stage: Stage, effort: Effort): Promise<Finding | { skipped: string }> {
  const { rounds, seconds } = effort;
  // Both are new, so that neither has compiled more of its code or stored more tasks than the other.
  const withJaeger = await stage.traced();
  if (!withJaeger.tracing) return { skipped: jaeger.howToGetIt };
  const traced = await sideOf(withJaeger);
  const untraced = await sideOf(await stage.untraced());

  const traceIds: string[] = [];
  const probe = async () => {
    const { traceId, headers } = sampled();
    await traced.creates.one(headers);
    traceIds.push(traceId);
  };
  const ratio = await ratioOf({
    effort,
    ours: async (counted) => {
      const probing = counted ? spread(probes / rounds, seconds, probe) : undefined;
      const outcome = await once(traced, untraced, { seconds, counted });
      await probing;
      return outcome;
    },
    peer: (counted) => once(untraced, traced, { seconds, counted }),
    onRound: (round, result) => reportRound(tracingCost, effort.rounds, round, result),
  });
  for (const { creates, mesh } of [traced, untraced]) await creates.mustBeStored(mesh.database);
  const traces = await judgeTraces(traced.mesh, traceIds);
  const cpu = {
    ours: traced.busy.each(answersOf(ratio, "ours")),
    peer: untraced.busy.each(answersOf(ratio, "peer")),
  };
  const notes = [
    closedLoop,
    ...traces.notes,
    ...noteIdle(traced.idle.share, untraced.idle.share),
    ...noteEach("CPU of each create, traced", cpu.ours),
    ...noteEach("CPU of each create, untraced", cpu.peer),
  ];
  return {
    figures: [rateFigure(ratio, { atLeast: 0.95 })],
    notes,
    details: { ratio, ...traces.details, cpuMicrosecondsEach: cpu },
  };
}

async function sideOf(mesh: BenchMesh): Promise<Side> {
  const { edge, token } = await mesh.signIn();
  const creates = new Creates({ url: `${edge}/v1/tasks`, headers: { authorization: `Bearer ${token}` } });
  const idle = new CpuMeter(() => mesh.pids());
  return { mesh, creates, busy: new CpuMeter(() => new Map([...mesh.pids(), generator])), idle };
}

async function once(
  side: Side,
  other: Side,
  { seconds, counted }: { seconds: number; counted: boolean },
): Promise<Outcome> {
  const work = async () => {
    const outcome = await load(side.creates.load(seconds));
    await side.mesh.drain();
    return outcome;
  };
  const outcome = await (counted ? other.idle.during(() => side.busy.during(work)) : work());
  await side.mesh.checkpoint();
  return outcome;
}

async function judgeTraces(mesh: BenchMesh, traceIds: readonly string[]) {
  const incomplete = await during(`Looking at ${traceIds.length} traces`, incompleteTraces(mesh.mesh.jaeger, traceIds));
  const counted = await countSpans(mesh.adminPages());
  counted.set("envoy", await countEnvoySpans(mesh.mesh.admin));
  const spans = [...counted].filter(([, { sent, dropped }]) => sent + dropped > 0);
  const sum = (key: "sent" | "dropped") => spans.reduce((total, [, counts]) => total + counts[key], 0);
  const silent = tracers.filter((name) => !counted.get(name)?.sent);
  if (silent.length > 0) throw new Error(`no spans were sent by ${silent.join(", ")}`);
  const lacking = [...incomplete].map(([traceId, missing]) => `trace ${traceId} lacks ${missing.join(", ")}`);
  return {
    notes: [
      `${sum("dropped")} spans dropped, ${sum("sent")} sent (${spans.map(([name, { sent }]) => `${name} ${sent}`).join(", ")})`,
      `${traceIds.length - incomplete.size} of ${traceIds.length} sampled traces are whole from the edge to the consumer's commit`,
      ...lacking,
    ],
    details: { spans: Object.fromEntries(spans), traceIds, incompleteTraces: Object.fromEntries(incomplete) },
  };
}

function noteIdle(traced: number, untraced: number): string[] {
  if (Number.isNaN(traced + untraced) || traced + untraced === 0) return [];
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  return [
    `both meshes run side by side; the one without work takes ${percent(untraced)} of a core while the traced one is measured, ` +
      `and ${percent(traced)} the other way round`,
  ];
}
