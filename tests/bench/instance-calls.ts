import type { Sample } from "../../cli/metrics/parse.ts";
import { scrape } from "../../cli/metrics/scrape.ts";
import { unitOf } from "../../cli/runner/status.ts";

/** How many calls each instance has answered since its start, by its name. */
export type CallCounts = ReadonlyMap<string, number>;

const names = ["rpc_server_call_duration_count", "http_server_request_duration_count"];
/** What nobody outside asks for: health checks, and the polls that each process makes for itself. */
const background = /^grpc\.|\/(GetJwks|ListRevokedSessions)$/;

/** Reads the counters at the admin page of each instance of these services; throws when one does not answer. */
export async function countCalls(
  adminPages: ReadonlyMap<string, string>,
  services: readonly string[],
): Promise<CallCounts> {
  const meant = [...adminPages].filter(([name]) => services.includes(unitOf(name)));
  const pages = await scrape(
    meant.map(([, page]) => `${page}/metrics`),
    { timeoutMs: 5000 },
  );
  return new Map(
    meant.map(([name], index) => {
      const page = pages[index];
      if (page === undefined || page.error !== undefined) throw new Error(`${name} does not tell its metrics`);
      return [name, callsOf(page.samples)];
    }),
  );
}

export function callsOf(samples: readonly Sample[]): number {
  return samples
    .filter(({ name, labels }) => {
      if (!names.includes(name)) return false;
      const { rpc_method: method, http_route: route } = labels;
      return method === undefined ? route?.startsWith("/v1/") : !background.test(method);
    })
    .reduce((sum, { value }) => sum + value, 0);
}

/** How unevenly the calls of one service were dealt out. */
export interface Spread {
  calls: number;
  /** The most busy instance less the least busy one, over their mean. */
  spread: number;
  /** What that comes to on average when each call is dealt out by lot. */
  byChance: number;
}

/** The spread of what was counted between two readings, by service. */
export function spreadsBetween(
  before: CallCounts,
  after: CallCounts,
  services: readonly string[],
): Map<string, Spread> {
  return new Map(
    services.map((service) => {
      const instances = [...after].filter(([name]) => unitOf(name) === service);
      return [service, spreadOf(instances.map(([name, count]) => count - (before.get(name) ?? 0)))];
    }),
  );
}

export function spreadOf(counts: readonly number[]): Spread {
  const calls = counts.reduce((sum, count) => sum + count, 0);
  const mean = calls / counts.length;
  const spread = (Math.max(...counts) - Math.min(...counts)) / mean;
  return { calls, spread, byChance: (range[counts.length] ?? Number.NaN) / Math.sqrt(mean) };
}

/** The mean range of so many normal values, in standard deviations. Counts that add up to a fixed sum range alike. */
const range: Record<number, number> = { 1: 0, 2: 1.128, 3: 1.693, 4: 2.059, 5: 2.326 };
