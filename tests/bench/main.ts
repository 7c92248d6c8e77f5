/** `npm run bench`: takes the ratios of the README beside this file. `-- --quick` tries it out, `-- P1` picks one. */
import { readArguments } from "./arguments.ts";
import { describeMachine } from "./machine.ts";
import type { Effort } from "./ratio.ts";
import { printFinding, printHeading, printSkipped, writeRaw } from "./report.ts";
import { Stage } from "./stage.ts";
import { useOwnPartsOnly } from "./surroundings.ts";

const quickEffort: Effort = { rounds: 1, seconds: 2, warmUp: { answers: 0, seconds: 0 }, quick: true };
const effort = { rounds: 5, warmUp: { answers: 10_000, seconds: 24 } };

async function main(stage: Stage): Promise<void> {
  const { quick, chosen } = readArguments(process.argv.slice(2));
  useOwnPartsOnly();
  const date = new Date();
  const machine = await describeMachine();
  printHeading(machine, date, quick);
  const results: unknown[] = [];
  for (const measure of chosen) {
    const { id, title, seconds } = measure;
    const finding = await measure.run(stage, quick ? quickEffort : { ...effort, ...measure.effort, seconds });
    if ("skipped" in finding) printSkipped(measure, finding.skipped);
    else printFinding(measure, finding);
    results.push({ id, title, ...finding });
  }
  process.stdout.write(`\nRaw results: ${writeRaw(date, { quick, machine, measures: results })}\n`);
}

const stage = new Stage();
let interrupted = false;
const interrupt = () => {
  interrupted = true;
  void stage.close().then(() => process.exit(130));
};
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, interrupt);
try {
  await main(stage);
} catch (error) {
  process.exitCode = 1;
  // What breaks because it is being stopped is no fault.
  if (!interrupted) process.stderr.write(`The bench failed: ${error instanceof Error ? error.message : error}\n`);
} finally {
  await stage.close();
}
