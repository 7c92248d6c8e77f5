import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { autoscale } from "../runner/autoscale/action.ts";
import { askMesh } from "../runner/control.ts";
import { findHome, makeHome } from "../runner/home.ts";
import { prepareLaunch, runsAlready } from "../runner/launch.ts";
import type { Mesh } from "../runner/mesh.ts";
import { readSettings, type Settings } from "../runner/settings.ts";
import type { MeshStatus } from "../runner/status.ts";
import { UserError } from "../user-error.ts";
import { mebibytes, printJson, progressLine, table } from "./output.ts";

export interface UpOptions {
  profile?: string;
  json?: boolean;
  detach?: boolean;
  faults?: boolean;
  prometheus?: boolean;
  autoscale?: boolean;
}

/** `mesh up`: starts everything, prints where it is, and runs until it is stopped. */
export async function up(options: UpOptions): Promise<void> {
  const read = readSettings(options.profile);
  const settings: Settings = {
    ...read,
    faults: read.faults || options.faults === true,
    ...(options.prometheus && { prometheus: "wished" }),
  };
  if (options.detach) return upDetached(options);
  const begin = performance.now();
  const { mesh, release } = await prepareLaunch(settings, progressLine);
  const stopOnSignal = listenForSignals(mesh);
  try {
    if (await mesh.start()) {
      if (options.autoscale) await autoscale(mesh, { request: { do: "on" } });
      report(await mesh.status(), performance.now() - begin, options);
    }
    await mesh.closed;
  } catch (error) {
    // A start that was interrupted is not a fault of its own.
    if (!stopOnSignal.received()) throw error;
  } finally {
    await mesh.stop();
    await release();
    stopOnSignal.remove();
  }
}

function report(status: MeshStatus, ms: number, { json, detach }: UpOptions): void {
  const how = detach ? "`npx mesh down`" : "Ctrl-C";
  if (json) {
    printJson({ ...status, startMs: Math.round(ms) });
    return;
  }
  const rows = status.instances.map(({ name, pid, memoryShare }) => [name, String(pid), mebibytes(memoryShare)]);
  const { processes, parts } = status.memory;
  const lines = [
    "",
    table(
      ["", ""],
      status.addresses.map(({ title, url }) => [title, url]),
    ).trim(),
    "",
    table(["PROCESS", "PID", "MEMORY"], rows),
    "",
    `Memory: ${mebibytes(processes)} for our own processes, ${mebibytes(parts)} for the parts`,
    `Tracing: ${status.tracing}`,
    `Taskmesh is ready after ${(ms / 1000).toFixed(1)} s. ${how} stops it.`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** The first signal stops the mesh in order; repeats within that are the same key press seen twice. */
function listenForSignals(mesh: Mesh) {
  let signalled = false;
  const stop = () => {
    if (!signalled) progressLine("\nStopping …");
    signalled = true;
    void mesh.stop();
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, stop);
  return {
    received: () => signalled,
    remove: () => {
      for (const signal of signals) process.off(signal, stop);
    },
  };
}

/** Starts the runner on its own and returns when the mesh is ready. */
async function upDetached(options: UpOptions): Promise<void> {
  const home = findHome();
  makeHome(home);
  const answered = await askMesh(home, { command: "ps" }).then(Boolean, () => false);
  if (answered) throw runsAlready();
  const logFile = join(home.logs, "runner.log");
  const log = openSync(logFile, "w", 0o600);
  const flags = [
    ...(options.profile ? ["--profile", options.profile] : []),
    ...(options.faults ? ["--faults"] : []),
    ...(options.prometheus ? ["--prometheus"] : []),
    ...(options.autoscale ? ["--autoscale"] : []),
  ];
  const args = [process.argv[1] as string, "up", ...flags];
  const begin = performance.now();
  const runner = spawn(process.execPath, args, { detached: true, stdio: ["ignore", log, log] });
  let ended = false;
  runner.once("exit", () => {
    ended = true;
  });
  progressLine(`Starting; the runner writes to ${logFile}`);
  for (;;) {
    const status = await askMesh<MeshStatus>(home, { command: "ps" }).catch(() => undefined);
    if (status?.ready) {
      runner.unref();
      report(status, performance.now() - begin, options);
      return;
    }
    if (ended) throw new UserError(`Taskmesh did not start: see ${logFile}`);
    await sleep(250);
  }
}
