import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, UserError } from "../user-error.ts";
import { runInBackground } from "./background.ts";
import type { ProcessSpec } from "./process-spec.ts";

const inherited = ["PATH", "HOME", "TMPDIR", "LANG", "TZ", "LD_LIBRARY_PATH"];

/** How a program ended, in words: `exit code 1`, `signal SIGKILL`. */
export type Ending = string;

export type Child = {
  pid: number;
  /** Resolves when the program has ended, never rejects. */
  ended: Promise<Ending>;
  hasEnded(): boolean;
  /** Stop signal, then SIGKILL after the grace; resolves when it is gone. */
  stop(): Promise<void>;
};

/** Starts a program in a process group of its own, so that Ctrl-C reaches only the runner, which then stops all in order. */
export async function startChild(spec: ProcessSpec): Promise<Child> {
  const child = launch(spec);
  const ended = new Promise<Ending>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    child.once("error", (error) => resolve(messageOf(error)));
  });
  if (child.pid === undefined) {
    throw new UserError(`${spec.name} cannot be started (${await ended}): ${spec.command}`);
  }
  if (spec.background) runInBackground(child.pid);
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return { pid: child.pid, ended, hasEnded, stop: () => stopChild(child, ended, spec) };
}

/** Resolves when the program answers; throws one line with the last words of its log when it ends or takes too long. */
export async function waitUntilReady(spec: ProcessSpec, child: Child, signal?: AbortSignal): Promise<void> {
  const deadline = Date.now() + spec.startTimeout;
  for (let pause = 20; ; pause = Math.min(pause * 1.5, 250)) {
    if (await spec.probe()) return;
    signal?.throwIfAborted();
    if (child.hasEnded()) {
      throw new UserError(`${spec.name} ended while starting (${await child.ended}): ${await lastLine(spec.logFile)}`);
    }
    if (Date.now() > deadline) {
      const seconds = Math.round(spec.startTimeout / 1000);
      throw new UserError(`${spec.name} was not ready within ${seconds} s; its log is ${spec.logFile}`);
    }
    await sleep(pause);
  }
}

function launch(spec: ProcessSpec): ChildProcess {
  mkdirSync(dirname(spec.logFile), { recursive: true });
  const log = openSync(spec.logFile, "a", 0o600);
  const kept = inherited.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  try {
    return spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: { ...Object.fromEntries(kept), ...spec.env },
      stdio: ["ignore", log, log],
      detached: true,
      ...(spec.account && { uid: spec.account.uid, gid: spec.account.gid }),
    });
  } finally {
    closeSync(log);
  }
}

async function stopChild(child: ChildProcess, ended: Promise<Ending>, spec: ProcessSpec): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(spec.stopSignal);
  // One that a fault has halted hears of nothing until it goes on.
  child.kill("SIGCONT");
  const timer = setTimeout(() => child.kill("SIGKILL"), spec.stopGrace);
  await ended;
  clearTimeout(timer);
}

async function lastLine(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return "its log cannot be read";
  try {
    const { size } = await file.stat();
    const length = Math.min(size, 4096);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const lines = buffer.toString("utf8").trim().split("\n");
    return lines.findLast((line) => /error|fatal|cannot|missing|in use/i.test(line))?.trim() ?? lines.at(-1) ?? "";
  } finally {
    await file.close();
  }
}
