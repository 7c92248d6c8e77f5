import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fieldsOf, type LogFilter, lineTest } from "../logs/filter.ts";
import { Tail } from "../logs/tail.ts";
import { findHome } from "../runner/home.ts";
import { unitOf } from "../runner/status.ts";
import { UserError } from "../user-error.ts";

export interface LogOptions extends LogFilter {
  follow?: boolean;
  lines: number;
  json?: boolean;
}

const followMs = 200;

/** `mesh logs [services]`: the last lines of each log that are wanted, then, with -f, whatever is added. */
export async function logs(services: readonly string[], options: LogOptions): Promise<void> {
  const folder = findHome().logs;
  const isWanted = lineTest(options);
  const tails = new Map<string, Tail>();
  await findLogs(folder, services, tails);
  if (tails.size === 0) throw new UserError(noLogs(services, folder));
  for (const tail of tails.values()) print(tail.name, await tail.last(options.lines, isWanted), options.json);
  while (options.follow) {
    await sleep(followMs);
    for (const tail of tails.values()) print(tail.name, (await tail.added()).filter(isWanted), options.json);
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
    const text = json ? JSON.stringify({ name, line: fieldsOf(line) ?? line }) : `${name.padEnd(14)} ${line}`;
    process.stdout.write(`${text}\n`);
  }
}
