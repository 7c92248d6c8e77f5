import type { DescMethod } from "@bufbuild/protobuf";
import { casesOf } from "./generate/case.ts";
import { drawn, seedOf } from "./generate/seed.ts";
import { publicMethods, speakersTo } from "./protocols.ts";
import { type Limits, Report } from "./report.ts";
import { World } from "./world.ts";

export interface Plan {
  edge: string;
  seed: number;
  /** Ends once so many calls were made, or so many worlds are over. */
  calls?: number;
  /** Only this world; what a finding names. */
  world?: number;
  methods?: readonly DescMethod[];
  limits: Limits;
  /** Ends with so many findings. */
  findings?: number;
  /** Worlds side by side. */
  atOnce?: number;
  /** The methods are those of an older release than the server's. */
  older?: boolean;
  onProgress?: (report: Report) => void;
}

export const casesOfWorld = 500;
const enoughFindings = 50;

/** Plays worlds of generated calls against an edge: what is called depends on nothing but the seed. */
export async function run(plan: Plan): Promise<Report> {
  const { edge, seed, calls = Number.POSITIVE_INFINITY, methods = publicMethods, atOnce = 4, older = false } = plan;
  const report = new Report(plan.limits);
  const cases = casesOf(methods);
  const eachOnce = methods.map((method) => casesOf([method]));
  const speakers = speakersTo(edge);
  try {
    const isOver = () => report.calls >= calls || report.findings.length >= (plan.findings ?? enoughFindings);
    const playWorld = async (number: number) => {
      const world = new World({ edge, speakers, report, older }, number);
      for (let index = 0; index < casesOfWorld && !isOver(); index++) {
        // Every RPC once, however seldom it is drawn.
        const values = eachOnce[index] ?? cases;
        await world.play(drawn(values, seedOf(seed, number, index)), index);
      }
      plan.onProgress?.(report);
    };
    if (plan.world !== undefined) await playWorld(plan.world);
    else {
      let next = 0;
      const workers = Array.from({ length: atOnce }, async () => {
        while (!isOver()) await playWorld(next++);
      });
      await Promise.all(workers);
    }
  } finally {
    speakers.close();
  }
  return report;
}

/** For a mesh that is there to be called as often as it can answer. */
export const fuzzEnvironment = { RATE_LIMIT_SCALE: "1000000", OTEL_TRACES_SAMPLER_ARG: "0.001", LOG_LEVEL: "error" };
