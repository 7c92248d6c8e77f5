import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as part from "../../../cli/runner/parts/prometheus.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import type { TestMesh } from "../../_util/mesh.ts";

interface Answer<T> {
  status: string;
  error?: string;
  data: T;
}

export interface RuleState {
  name: string;
  health: string;
  lastError?: string;
}

/** A real Prometheus that scrapes a mesh by the files that its runner writes. */
export class PrometheusServer {
  readonly #url: string;
  readonly #stop: () => Promise<void>;

  private constructor(url: string, stop: () => Promise<void>) {
    this.#url = url;
    this.#stop = stop;
  }

  static async start(mesh: TestMesh): Promise<PrometheusServer> {
    const folder = await mkdtemp(join(tmpdir(), "taskmesh-prometheus-"));
    const [port = 0] = await pickPorts(1);
    const configFolder = join(mesh.environment.MESH_HOME as string, "prometheus");
    const options = { dataDir: join(folder, "data"), logFile: join(folder, "log"), configFolder, port };
    const { address, stop } = await part.start(options);
    return new PrometheusServer(address, async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    });
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  /** How many series the expression has now; throws what Prometheus says against it. */
  async count(expr: string): Promise<number> {
    return (await this.#ask<{ result: unknown[] }>(`/api/v1/query?query=${encodeURIComponent(expr)}`)).result.length;
  }

  async exemplars(expr: string): Promise<string[]> {
    const end = Date.now() / 1000;
    const query = `query=${encodeURIComponent(expr)}&start=${end - 600}&end=${end}`;
    const found = await this.#ask<{ exemplars: { labels: Record<string, string> }[] }[]>(
      `/api/v1/query_exemplars?${query}`,
    );
    return found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id ?? ""));
  }

  async rules(): Promise<RuleState[]> {
    const { groups } = await this.#ask<{ groups: { rules: RuleState[] }[] }>("/api/v1/rules");
    return groups.flatMap(({ rules }) => rules);
  }

  async targets(): Promise<{ health: string; labels: Record<string, string>; lastError: string }[]> {
    return (
      await this.#ask<{ activeTargets: { health: string; labels: Record<string, string>; lastError: string }[] }>(
        "/api/v1/targets",
      )
    ).activeTargets;
  }

  async #ask<T>(path: string): Promise<T> {
    const answer = (await (await fetch(this.#url + path)).json()) as Answer<T>;
    if (answer.status !== "success") throw new Error(answer.error);
    return answer.data;
  }
}
