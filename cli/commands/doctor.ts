import { setTimeout as sleep } from "node:timers/promises";
import type { Finding } from "../doctor/finding.ts";
import { checkGivenParts } from "../doctor/given-parts.ts";
import { lookAt } from "../doctor/look.ts";
import { checkMachine } from "../doctor/machine.ts";
import { symptoms } from "../doctor/symptoms.ts";
import { askMesh } from "../runner/control.ts";
import { findHome } from "../runner/home.ts";
import { isRunning } from "../runner/orphans.ts";
import { readSettings, type Settings } from "../runner/settings.ts";
import { readState } from "../runner/state.ts";
import type { MeshStatus } from "../runner/status.ts";
import { printJson, progressLine, table } from "./output.ts";

/** Long enough for a consumer to move, and for a caller of a busy pool to be served. */
const betweenLooksMs = 5000;

/**
 * `mesh doctor`: whether this machine can run the mesh, what ails the one that runs, and what to do about it. Exit code 1
 * when something is amiss.
 */
export async function doctor({ json }: { json?: boolean }): Promise<void> {
  const settings = readSettings();
  const running = await isRunning(readState(findHome().stateFile));
  const findings = [
    ...(await checkMachine(settings, running)),
    ...(await checkGivenParts(settings)),
    ...(running ? await checkRunning(settings) : []),
  ];
  const wrong = findings.filter(({ ok }) => !ok);
  if (json) printJson({ ok: wrong.length === 0, findings });
  else {
    const rows = findings.map(({ check, ok, finding }) => [ok ? "ok" : "NOT OK", check, finding]);
    process.stdout.write(`${table(["", "CHECK", "FOUND"], rows)}\n`);
    for (const { check, advice } of wrong) process.stdout.write(`\n${check}: ${advice}\n`);
  }
  if (wrong.length > 0) process.exitCode = 1;
}

async function checkRunning(settings: Settings): Promise<Finding[]> {
  progressLine(`Looking at the running mesh for ${betweenLooksMs / 1000} s`);
  const look = async () => lookAt(await askMesh<MeshStatus>(findHome(), { command: "ps" }), settings);
  const before = await look();
  await sleep(betweenLooksMs);
  return symptoms(before, await look());
}
