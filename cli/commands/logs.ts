import { setTimeout as sleep } from "node:timers/promises";
import { logFiles } from "../logs/files.ts";
import { fieldsOf, type LogFilter, lineTest } from "../logs/filter.ts";
import { byTime, type NamedLine } from "../logs/order.ts";
import { Tail } from "../logs/tail.ts";
import { findHome } from "../runner/home.ts";
import { unitOf } from "../runner/status.ts";
import { type ProcessName, processes } from "../topology.ts";
import { UserError } from "../user-error.ts";

export interface LogOptions extends LogFilter {
  /** Only lines of the level error and above, out of the logs that hold nothing else. */
  errors?: boolean;
  follow?: boolean;
  lines: number;
  json?: boolean;
}

const followMs = 200;

/** One log that is read, and which of its lines are wanted. */
interface Source {
  tail: Tail;
  isWanted: (line: string) => boolean;
}

/** `mesh logs [services]`: the last lines of each log that are wanted, by time, then, with -f, whatever is added. */
export async function logs(services: readonly string[], options: LogOptions): Promise<void> {
  const folder = findHome().logs;
  const sources = new Map<string, Source>();
  await findSources(folder, services, { options, sources });
  // With the first error there will be a log of errors.
  if (sources.size === 0 && !options.errors) throw new UserError(noLogs(services, folder));
  const each = (read: (source: Source) => Promise<string[]>): Promise<NamedLine[][]> =>
    Promise.all(
      [...sources.values()].map(async (source) =>
        (await read(source)).map((text) => ({ name: source.tail.name, text })),
      ),
    );
  print(byTime(await each(({ tail, isWanted }) => tail.last(options.lines, isWanted))), options.json);
  while (options.follow) {
    await sleep(followMs);
    print(byTime(await each(async ({ tail, isWanted }) => (await tail.added()).filter(isWanted))), options.json);
    await findSources(folder, services, { options, sources });
  }
  for (const { tail } of sources.values()) await tail.close();
}

interface Search {
  options: LogOptions;
  sources: Map<string, Source>;
}

async function findSources(folder: string, services: readonly string[], { options, sources }: Search): Promise<void> {
  for (const { name, path, errorsOnly } of await logFiles(folder, options)) {
    const isMeant = services.length === 0 || services.includes(name) || services.includes(unitOf(name));
    // A process that has had no error yet has no log of them; until then there is nothing of it to show.
    const isYetToCome = options.errors === true && !errorsOnly && isMember(unitOf(name));
    if (!isMeant || isYetToCome || sources.has(path)) continue;
    const level = options.errors && !errorsOnly ? "error" : options.level;
    const { trace, user } = options;
    const isWanted = lineTest({ ...(level && { level }), ...(trace && { trace }), ...(user && { user }) });
    sources.set(path, { tail: await Tail.open(name, path), isWanted });
  }
}

function isMember(unit: string): boolean {
  return unit in processes && processes[unit as ProcessName].member;
}

function noLogs(services: readonly string[], folder: string): string {
  if (services.length === 0) return `There are no logs in ${folder} yet: start with \`npm start\``;
  return `There are no logs of ${services.join(", ")} in ${folder}: see \`npx mesh ps\` for the names`;
}

/** With --json each line is one object; a line that is JSON itself (our own processes') is kept as such. */
function print(lines: readonly NamedLine[], json?: boolean): void {
  for (const { name, text } of lines) {
    const shown = json ? JSON.stringify({ name, line: fieldsOf(text) ?? text }) : `${name.padEnd(14)} ${text}`;
    process.stdout.write(`${shown}\n`);
  }
}
