import { type Bucket, bucketsOf, quantile } from "../../metrics/quantile.ts";
import { total, type Where } from "../../metrics/rates.ts";
import { scrape } from "../../metrics/scrape.ts";
import { type ProcessName, processes } from "../../topology.ts";
import { readHosts } from "../envoy-hosts.ts";
import type { Instance } from "../instance.ts";
import type { Observed } from "./budget.ts";
import { isRouted } from "./release.ts";

interface Counts {
  calls: number;
  errors: number;
  buckets: readonly Bucket[];
}

/** What an instance itself counts: the histogram of its work, and what of that nobody waits for. */
interface Work {
  histogram: string;
  counted: Where;
}

const rpcs: Work = {
  histogram: "rpc_server_call_duration",
  counted: { rpc_method: (name) => !name.startsWith("grpc.") },
};
const requests: Work = {
  histogram: "http_server_request_duration",
  counted: { http_route: (route) => !route.startsWith("/health") && !/watch|live/.test(route) },
};
const events: Work = { histogram: "messaging_process_duration", counted: {} };
const failedEvent: Where = { taskmesh_event_outcome: (outcome) => outcome === "retried" || outcome === "dead" };

/**
 * What a group of instances of one process does from now on. Calls and failures are those that Envoy sees, which also
 * knows of answers that never came; the time of a call, and the work of consumers, is what the instances measure.
 */
export class Observation {
  readonly #name: ProcessName;
  readonly #instances: readonly Instance[];
  readonly #adminPort: number;
  readonly #start = new Map<string, Counts>();

  private constructor(name: ProcessName, instances: readonly Instance[], adminPort: number) {
    this.#name = name;
    this.#instances = instances;
    this.#adminPort = adminPort;
  }

  static async begin(name: ProcessName, instances: readonly Instance[], adminPort: number): Promise<Observation> {
    const observation = new Observation(name, instances, adminPort);
    for (const [instance, counts] of await observation.#read()) observation.#start.set(instance, counts);
    return observation;
  }

  async sinceBegin(): Promise<Observed> {
    let [calls, errors] = [0, 0];
    const buckets = new Map<number, number>();
    for (const [instance, now] of await this.#read()) {
      const before = this.#start.get(instance);
      // Less than before: the process has started over.
      const from = before !== undefined && before.calls <= now.calls ? before : undefined;
      calls += now.calls - (from?.calls ?? 0);
      errors += now.errors - (from?.errors ?? 0);
      const counted = (counts?: Counts) => counts?.buckets.at(-1)?.count ?? 0;
      const earlier = new Map(
        counted(before) <= counted(now) ? before?.buckets.map(({ le, count }) => [le, count]) : [],
      );
      for (const { le, count } of now.buckets) buckets.set(le, (buckets.get(le) ?? 0) + count - (earlier.get(le) ?? 0));
    }
    const sorted = [...buckets].map(([le, count]) => ({ le, count })).sort((one, other) => one.le - other.le);
    const seconds = quantile(0.99, sorted);
    return { calls, errors, p99Ms: seconds === undefined ? undefined : seconds * 1000 };
  }

  async #read(): Promise<Map<string, Counts>> {
    const pages = this.#instances.map(({ ports }) => `http://127.0.0.1:${ports.admin}/metrics`);
    const [readings, hosts] = await Promise.all([scrape(pages), readHosts(this.#adminPort).catch(() => new Map())]);
    const routed = isRouted(this.#name);
    const { histogram, counted } = !routed ? events : this.#name === "gateway" ? requests : rpcs;
    const clusters = Object.entries(processes[this.#name].clusters);
    return new Map(
      this.#instances.map(({ name, ports }, index) => {
        const samples = readings[index]?.samples ?? [];
        const buckets = bucketsOf(samples, histogram, counted);
        if (!routed) {
          const calls = total(samples, `${histogram}_count`);
          return [name, { calls, errors: total(samples, `${histogram}_count`, failedEvent), buckets }];
        }
        const seen = clusters.flatMap(([port, cluster]) => hosts.get(`${cluster}::127.0.0.1:${ports[port]}`) ?? []);
        const sum = (field: "calls" | "errors") => seen.reduce((all, host) => all + host[field], 0);
        return [name, { calls: sum("calls"), errors: sum("errors"), buckets }];
      }),
    );
  }
}
