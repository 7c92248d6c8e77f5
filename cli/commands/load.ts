import { isIP } from "node:net";
import { type Command, InvalidArgumentError } from "commander";
import type { Mix } from "../load/calls.ts";
import type { Phase } from "../load/open-loop.ts";
import { type LoadReport, runLoad } from "../load/run-load.ts";
import { askMesh } from "../runner/control.ts";
import { findHome } from "../runner/home.ts";
import type { MeshStatus } from "../runner/status.ts";
import { UserError } from "../user-error.ts";
import { printJson, progressLine, table } from "./output.ts";
import { milliseconds, whole } from "./quantities.ts";

const mostRate = 10_000;
const mostSeconds = 3600;

interface Options {
  rps?: number;
  for?: number;
  phases?: Phase[];
  mix: Mix;
  users: number;
  connections: number;
  seed: number;
  url?: string;
  allowRemote?: boolean;
  verify?: boolean;
  json?: boolean;
}

/** `mesh load`: people at work, so many requests a second, each at its time; every answer is looked at. */
export function addLoad(mesh: Command): void {
  mesh
    .command("load")
    .description("put a steady load on the public edge and check every answer")
    .option("-r, --rps <rate>", `requests a second, up to ${mostRate}; 100 unless given`, whole)
    .option("-f, --for <time>", "how long, up to 1h; 30s unless given", milliseconds)
    .option("--phases <phases>", "one rate after the other instead: 300s@100,600s@200", phases)
    .option("--mix <mix>", "shares of reads and writes", mix, { read: 90, write: 10 })
    .option("-u, --users <count>", "accounts that it registers", whole, 50)
    .option("--connections <count>", "kept connections at most", whole, 64)
    .option("--seed <number>", "the same seed draws the same calls", whole, 1)
    .option("--verify", "afterwards look for every acknowledged write and every notification, each once")
    .option("--url <url>", "the edge to call; that of the mesh that runs here unless given")
    .option("--allow-remote", "call an edge on another machine, which --url must name")
    .option("--json", "print JSON for programs")
    .action(load);
}

async function load(options: Options): Promise<void> {
  const plan = planOf(options);
  const url = await targetOf(options);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const { mix, users, connections, seed, verify = false } = options;
  const { signal } = stop;
  const report = await runLoad({
    ...{ url, phases: plan, mix, users, connections, seed, verify, signal },
    progress: progressLine,
  });
  if (options.json) printJson(report);
  else process.stdout.write(`${render(report)}\n`);
  if (!isGood(report)) process.exitCode = 1;
}

/** What is asked for, within bounds that no slip of the keyboard leaves. */
export function planOf({ rps, for: duration, phases: given }: Pick<Options, "rps" | "for" | "phases">): Phase[] {
  if (given !== undefined && (rps !== undefined || duration !== undefined)) {
    throw new UserError("Give either --phases or --rps and --for");
  }
  const plan = given ?? [{ rate: rps ?? 100, seconds: (duration ?? 30_000) / 1000 }];
  if (plan.some(({ rate }) => rate > mostRate)) throw new UserError(`At most ${mostRate} requests a second are sent`);
  if (plan.reduce((sum, { seconds }) => sum + seconds, 0) > mostSeconds)
    throw new UserError("A load lasts an hour at most");
  return plan;
}

async function targetOf({ url, allowRemote }: Pick<Options, "url" | "allowRemote">): Promise<URL> {
  if (url === undefined) {
    if (allowRemote) throw new UserError("--allow-remote needs --url: say which edge to call");
    const { addresses } = await askMesh<MeshStatus>(findHome(), { command: "ps" });
    return new URL(addresses.find(({ name }) => name === "edge")?.url ?? "http://127.0.0.1:8080");
  }
  return checkTarget(url, allowRemote === true);
}

/** An origin of HTTP; throws one line for another machine, unless that is wished. */
export function checkTarget(text: string, allowRemote: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "") {
    throw new UserError(`"${text}" is no address to call: write it as http://127.0.0.1:8080`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isLocal = host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
  if (!isLocal && !allowRemote) {
    throw new UserError(`${host} is not this machine: add --allow-remote when its owner wishes to be called like this`);
  }
  return url;
}

function isGood({ failed, verification }: LoadReport): boolean {
  if (failed > 0) return false;
  const { lostWrites = 0, lostNotifications = 0, doubledNotifications = 0 } = verification ?? {};
  return lostWrites + lostNotifications + doubledNotifications === 0;
}

function render(report: LoadReport): string {
  const { due, seconds, right, failed, rate, latency, lateness, rateKept, cpuMicros, verification } = report;
  const rows: [string, string][] = [
    [
      "requests",
      `${due} in ${seconds.toFixed(1)} s, ${right} answered rightly (${rate.toFixed(1)}/s), ${failed} failed`,
    ],
    ...Object.entries(report.failures).map(([kind, count]): [string, string] => ["", `${count} × ${kind}`]),
    [
      "latency",
      `p50 ${ms(latency.p50)}, p95 ${ms(latency.p95)}, p99 ${ms(latency.p99)}, p99.9 ${ms(latency.p999)}, max ${ms(latency.max)}`,
    ],
    [
      "rate",
      `${rateKept ? "kept" : "NOT kept"}: sent at most ${ms(lateness.max)} late, 99 % within ${ms(lateness.p99)}`,
    ],
    ["generator", `${cpuMicros} µs of CPU for each request`],
  ];
  if (verification !== undefined) {
    const { tasks, lostWrites, notifications, lostNotifications, doubledNotifications, examples } = verification;
    rows.push(["writes", `${tasks} tasks looked at, ${lostWrites} lack an acknowledged write`]);
    rows.push(["notifications", `${notifications} due, ${lostNotifications} lost, ${doubledNotifications} doubled`]);
    rows.push(...examples.map((line): [string, string] => ["", line]));
  }
  if (Object.keys(report.failures).some((kind) => kind.startsWith("429"))) {
    rows.push([
      "",
      "calls were refused, by the limits (start the mesh with RATE_LIMIT_SCALE=1000 to measure what is behind them) or as more than the mesh can do (docs/overload.md)",
    ]);
  }
  return table(["", ""], rows).trim();
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

/** `300s@100,600s@200`. */
export function phases(text: string): Phase[] {
  return text.split(",").map((part) => {
    const [time = "", rate = "", ...rest] = part.trim().split("@");
    if (rest.length > 0 || rate === "") throw new InvalidArgumentError("Write phases as 300s@100,600s@200.");
    return { seconds: milliseconds(time) / 1000, rate: whole(rate) };
  });
}

/** `read=90,write=10`. */
export function mix(text: string): Mix {
  const [, read, write] = /^read=(\d{1,4}),write=(\d{1,4})$/.exec(text) ?? [];
  const shares = { read: Number(read), write: Number(write) };
  if (!(shares.read + shares.write > 0)) throw new InvalidArgumentError("Write the mix as read=90,write=10.");
  return shares;
}
