import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findHome } from "../runner/home.ts";
import { unitOf } from "../runner/status.ts";
import { UserError } from "../user-error.ts";

export interface LogOptions {
  follow?: boolean;
  lines: number;
  json?: boolean;
}

/** `mesh logs [services]`: the last lines of each log, then, with -f, whatever is added. */
export async function logs(services: readonly string[], options: LogOptions): Promise<void> {
  const folder = findHome().logs;
  const tails = new Map<string, Tail>();
  await findLogs(folder, services, tails);
  if (tails.size === 0) throw new UserError(noLogs(services, folder));
  for (const tail of tails.values()) print(tail.name, await tail.last(options.lines), options.json);
  while (options.follow) {
    await sleep(200);
    for (const tail of tails.values()) print(tail.name, await tail.added(), options.json);
    await findLogs(folder, services, tails);
  }
  for (const tail of tails.values()) await tail.close();
}

async function findLogs(folder: string, services: readonly string[], tails: Map<string, Tail>): Promise<void> {
  const files = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith(".log")).sort();
  for (const file of files) {
    const name = file.slice(0, -".log".length);
    const wanted = services.length === 0 || services.includes(name) || services.includes(unitOf(name));
    if (wanted && !tails.has(name)) tails.set(name, new Tail(name, await open(join(folder, file))));
  }
}

function noLogs(services: readonly string[], folder: string): string {
  if (services.length === 0) return `There are no logs in ${folder} yet: start with \`npm start\``;
  return `There are no logs of ${services.join(", ")} in ${folder}: see \`npx mesh ps\` for the names`;
}

/** With --json each line is one object; a line that is JSON itself (our own processes') is kept as such. */
function print(name: string, lines: readonly string[], json?: boolean): void {
  for (const line of lines) {
    process.stdout.write(json ? `${JSON.stringify({ name, line: parsed(line) })}\n` : `${name.padEnd(14)} ${line}\n`);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}

/** Reads a log from the end and then follows it; starts over when it has been cut by rotation. */
class Tail {
  readonly name: string;
  readonly #file: FileHandle;
  #offset = 0;
  #rest = "";

  constructor(name: string, file: FileHandle) {
    this.name = name;
    this.#file = file;
  }

  async last(count: number): Promise<string[]> {
    const { size } = await this.#file.stat();
    this.#offset = Math.max(0, size - count * 1000);
    const cut = this.#offset > 0;
    const lines = await this.added();
    return (cut ? lines.slice(1) : lines).slice(-count);
  }

  async added(): Promise<string[]> {
    const { size } = await this.#file.stat();
    if (size < this.#offset) this.#offset = 0;
    if (size === this.#offset) return [];
    const buffer = Buffer.alloc(size - this.#offset);
    const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#offset);
    this.#offset += bytesRead;
    const lines = (this.#rest + buffer.toString("utf8", 0, bytesRead)).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
