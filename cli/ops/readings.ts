import type { Sample } from "../metrics/parse.ts";
import { ratesBetween, select } from "../metrics/rates.ts";
import { type Reading, scrape } from "../metrics/scrape.ts";
import type { Source, SourceInstance } from "./source.ts";

/** What the pages of one moment say, and how it grew. */
export interface Readings {
  instances: SourceInstance[];
  /** By the instance's name: the values as they are now, and their growth per second. */
  now: ReadonlyMap<string, readonly Sample[]>;
  rates: ReadonlyMap<string, readonly Sample[]>;
  /** CPU of programs without a page of metrics, as a share of one core. */
  cpu: ReadonlyMap<string, number>;
  spanMs: number;
  faults: string[];
}

/** Under which name Envoy's statistics are kept; no instance is called that. */
export const envoy = " envoy";

const wanted =
  /^(rpc_(server|client)|http_server|db_client_operation|taskmesh|messaging|nodejs|process|envoy_(http|cluster))_/;
const envoyPage =
  "/stats/prometheus?usedonly&filter=^(http\\.(edge|edge_tls|mesh)\\.downstream_rq_(total|time|xx|[1-5]xx)|cluster\\..*\\.(upstream_rq_(total|time|xx|[1-5]xx|retry)|membership_(healthy|total)))$";

/** The pages of a mesh over the last seconds. */
export class ReadingHistory {
  readonly #source: Source;
  readonly #spanMs: number;
  readonly #pages = new Map<string, Reading[]>();

  /** Rates are taken over `spanMs`, or over as long as there have been readings. */
  constructor(source: Source, spanMs: number) {
    this.#source = source;
    this.#spanMs = spanMs;
  }

  async read(): Promise<Readings> {
    const found = await this.#source.instances();
    const pages = pagesOf(found, this.#source.envoyUrl);
    const scrapes = await scrape([...pages.values()], { timeoutMs: 2000 });
    const faults: string[] = [];
    const real = realNames([...pages.keys()], scrapes);
    const names = [...pages.keys()].map((name) => real.get(name) ?? name);
    const instances = found.map((instance) => ({ ...instance, name: real.get(instance.name) ?? instance.name }));
    for (const [index, page] of scrapes.entries()) {
      const name = names[index] as string;
      if (page.error === undefined) this.#keep(name, page);
      else faults.push(`${name.trim()}: ${page.error}`);
    }
    const time = performance.now();
    for (const { name, cpuSeconds } of instances) {
      if (cpuSeconds !== undefined) this.#keep(cpuKey(name), { time, samples: [cpuSample(cpuSeconds)] });
    }
    this.#forget(time);
    return { instances, faults, ...this.#summary(names, instances) };
  }

  #summary(names: string[], instances: SourceInstance[]) {
    const now = new Map<string, readonly Sample[]>();
    const rates = new Map<string, readonly Sample[]>();
    let spanMs = 0;
    for (const name of names) {
      const kept = this.#pages.get(name) ?? [];
      const [first, last] = [kept[0], kept.at(-1)];
      if (first === undefined || last === undefined) continue;
      now.set(name, last.samples);
      rates.set(name, ratesBetween(first, last));
      spanMs = Math.max(spanMs, last.time - first.time);
    }
    const cpu = new Map(
      instances.flatMap(({ name }) => {
        const kept = this.#pages.get(cpuKey(name)) ?? [];
        const [rate] = kept.length < 2 ? [] : ratesBetween(kept[0] as Reading, kept.at(-1) as Reading);
        return rate === undefined ? [] : [[name, rate.value] as const];
      }),
    );
    return { now, rates, cpu, spanMs: Math.round(spanMs) };
  }

  #keep(name: string, { time, samples }: Reading): void {
    const kept = this.#pages.get(name) ?? [];
    kept.push({ time, samples: samples.filter((sample) => wanted.test(sample.name)) });
    this.#pages.set(name, kept);
  }

  /** What is older than the span, and whole pages of whoever has not answered for that long. */
  #forget(time: number): void {
    for (const [name, kept] of this.#pages) {
      // The second oldest may do the work of the oldest as soon as it is old enough itself.
      while (kept.length > 1 && time - (kept[1] as Reading).time >= this.#spanMs - 250) kept.shift();
      if (time - (kept.at(-1) as Reading).time > this.#spanMs) this.#pages.delete(name);
    }
  }
}

/** What instances call themselves, where no two of them say the same. */
function realNames(names: string[], scrapes: readonly Reading[]): Map<string, string> {
  const said = scrapes.map(({ samples }) => select(samples, "target_info")[0]?.labels.service_instance_id);
  return new Map(
    names.flatMap((name, index) => {
      const own = said[index];
      const isUnique = own !== undefined && said.indexOf(own) === said.lastIndexOf(own);
      return isUnique ? [[name, own] as const] : [];
    }),
  );
}

function pagesOf(instances: SourceInstance[], envoyUrl: string | undefined): Map<string, string> {
  const pages = new Map<string, string>();
  for (const { name, metricsUrl, status } of instances) {
    if (metricsUrl !== undefined && status === "ready") pages.set(name, metricsUrl);
  }
  if (envoyUrl !== undefined) pages.set(envoy, envoyUrl + envoyPage);
  return pages;
}

function cpuKey(name: string): string {
  return ` cpu ${name}`;
}

function cpuSample(value: number): Sample {
  return { name: "process_cpu_seconds", labels: {}, value };
}
