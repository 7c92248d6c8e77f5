import { parseArgs } from "node:util";
import type { Measure } from "./measure.ts";
import { createTask } from "./measures/create-task.ts";
import { footprintAndStart } from "./measures/footprint.ts";
import { gatewayShare } from "./measures/gateway-share.ts";
import { manyUsers } from "./measures/many-users.ts";
import { seedNumbers } from "./measures/seed-numbers.ts";
import { threeInstances } from "./measures/three-instances.ts";
import { tracingCost } from "./measures/tracing-cost.ts";

/** In the order in which they run. */
const measures: readonly Measure[] = [
  gatewayShare,
  createTask,
  tracingCost,
  threeInstances,
  manyUsers,
  footprintAndStart,
  seedNumbers,
];

/** What the command line asks for. Throws one line when it cannot be understood. */
export function readArguments(args: string[]): { quick: boolean; chosen: readonly Measure[] } {
  const { values, positionals } = parseArgs({ args, options: { quick: { type: "boolean" } }, allowPositionals: true });
  const wished = positionals.map((name) => name.toUpperCase());
  const unknown = wished.filter((name) => !measures.some(({ id }) => id === name));
  const known = measures.map(({ id }) => id);
  if (unknown.length > 0)
    throw new Error(`there is no measure ${unknown.join(", ")}: take some of ${known.join(", ")}`);
  const chosen = wished.length === 0 ? measures : measures.filter(({ id }) => wished.includes(id));
  return { quick: values.quick === true, chosen };
}
