import { askMesh } from "../runner/control.ts";
import { findHome } from "../runner/home.ts";
import { isRunning, stopOrphans } from "../runner/orphans.ts";
import { readState } from "../runner/state.ts";
import { printJson } from "./output.ts";

/** `mesh down`: stops the running mesh in order, or what a killed one has left behind. */
export async function down({ json }: { json?: boolean }): Promise<void> {
  const home = findHome();
  const state = readState(home.stateFile);
  if (!(await isRunning(state))) {
    const orphans = await stopOrphans(state);
    if (orphans.length > 0) {
      report(json, { stopped: orphans }, `Stopped what a killed start had left behind: ${orphans.join(", ")}`);
      return;
    }
  }
  const begin = performance.now();
  await askMesh(home, { command: "down" });
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  report(json, { stopped: state?.instances.map(({ name }) => name) ?? [] }, `Taskmesh has stopped (${seconds} s)`);
}

function report(json: boolean | undefined, value: unknown, line: string): void {
  if (json) printJson(value);
  else process.stdout.write(`${line}\n`);
}
