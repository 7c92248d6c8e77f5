import { execFile, spawn } from "node:child_process";
import { messageOf, UserError } from "../../cli/user-error.ts";

export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Told every line as it comes. */
  onLine?: (line: string) => void;
}

/** Runs a program to its end and answers with what it wrote; a failure names the program and its last words. */
export async function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { cwd, env, onLine } = options;
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let all = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      all += text;
      for (const line of text.split("\n")) if (line.trim() !== "") onLine?.(line.trimEnd());
    });
  }
  const code = await new Promise<number | string>((resolve) => {
    child.once("close", (exit, signal) => resolve(exit ?? signal ?? "unknown"));
    child.once("error", (error) => resolve(messageOf(error)));
  });
  if (code === 0) return output.trim();
  const words = all.trim().split("\n").slice(-6).join("\n");
  throw new UserError(`\`${program} ${args.slice(0, 4).join(" ")} …\` failed (${code}): ${words}`);
}

/** Whether a program can be run at all. */
export function isThere(program: string, args: readonly string[] = ["--version"]): Promise<boolean> {
  return new Promise((resolve) => execFile(program, args, (error) => resolve(error === null)));
}

/** Waits until the condition holds, and says what was waited for when it does not. */
export async function until(what: string, condition: () => Promise<boolean>, patienceMs = 60_000): Promise<void> {
  const end = Date.now() + patienceMs;
  for (;;) {
    if (await condition().catch(() => false)) return;
    if (Date.now() > end) throw new UserError(`After ${patienceMs / 1000} s it is still not so: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
