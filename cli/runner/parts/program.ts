import { execFile, spawn } from "node:child_process";
import { access, constants, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { messageOf, UserError } from "../../user-error.ts";

const run = promisify(execFile);

/** A program that can be run: one of the machine, one that came with the npm packages, or a fetched one. */
export type Program = { path: string; version: string; source: "machine" | "package" | "cache" };

export type Progress = (line: string) => void;

/** The first executable of that name on PATH, or in one of the further folders. */
export async function findOnMachine(name: string, folders: readonly string[] = []): Promise<string | undefined> {
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  for (const folder of [...path, ...folders]) {
    const candidate = join(folder, name);
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

export async function isExecutable(path: string): Promise<boolean> {
  const file = await stat(path).catch(() => undefined);
  return (
    file?.isFile() === true &&
    (await access(path, constants.X_OK).then(
      () => true,
      () => false,
    ))
  );
}

/** The version in what `program --version` prints, by default its first dotted number; undefined when it cannot be run. */
export async function versionOf(
  path: string,
  args: readonly string[] = ["--version"],
  pattern = /(\d+(?:\.\d+)*)/,
): Promise<string | undefined> {
  const output = await run(path, args, { timeout: 10_000 }).catch(() => undefined);
  return pattern.exec(`${output?.stdout ?? ""}${output?.stderr ?? ""}`)?.[1];
}

type RunOptions = { cwd?: string; env?: Record<string, string>; nice?: boolean; signal?: AbortSignal };

/** Runs a fetching command to its end; a failure is one line with the last thing that it said. */
export async function runTool(command: string, args: readonly string[], options: RunOptions = {}): Promise<void> {
  const [program, ...rest] = options.nice ? ["nice", "-n", "15", command, ...args] : [command, ...args];
  const child = spawn(program as string, rest, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-8192);
    });
  }
  const stop = () => child.pid !== undefined && process.kill(-child.pid, "SIGTERM");
  options.signal?.addEventListener("abort", stop, { once: true });
  const code = await new Promise<number | string>((resolve) => {
    child.once("close", (exit, signal) => resolve(exit ?? signal ?? "unknown"));
    child.once("error", (error) => resolve(messageOf(error)));
  });
  options.signal?.removeEventListener("abort", stop);
  if (code !== 0) throw new UserError(`\`${command} ${args[0] ?? ""}\` failed (${code}): ${lastWords(said)}`);
}

function lastWords(said: string): string {
  const lines = said.split("\n").filter((line) => line.trim() !== "");
  const line = lines.findLast((text) => /error|fail|cannot|could not|unreachable|refused|resolve/i.test(text));
  return (line ?? lines.at(-1) ?? "it said nothing").trim().slice(0, 300);
}
