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

/** The Prometheus of a mesh that was started with one. */
export class PrometheusServer {
  readonly #url: string;

  constructor({ environment }: TestMesh) {
    this.#url = `http://127.0.0.1:${environment.PROMETHEUS_PORT}`;
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
