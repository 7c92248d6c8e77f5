import { parseMetrics, type Sample } from "../../../cli/metrics/parse.ts";
import { isPart, unitOf } from "../../../cli/runner/status.ts";
import type { TestMesh } from "../../_util/mesh.ts";

export interface Page {
  name: string;
  text: string;
  samples: Sample[];
}

/** Every page of metrics of a mesh: its processes in OpenMetrics, Envoy, and the parts. */
export async function allPages(mesh: TestMesh): Promise<Page[]> {
  const { instances } = await mesh.status();
  const own = instances.filter(({ name, ports }) => ports.admin !== undefined && !isPart(unitOf(name)));
  return Promise.all([
    ...own.map(({ name, ports }) => page(name, `http://127.0.0.1:${ports.admin}/metrics`)),
    page("envoy", `${mesh.admin}/stats/prometheus`),
    page("parts", `http://127.0.0.1:${mesh.environment.OPS_PORT}/metrics`),
  ]);
}

async function page(name: string, url: string): Promise<Page> {
  const response = await fetch(url, { headers: { accept: "application/openmetrics-text;version=1.0.0" } });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const text = await response.text();
  return { name, text, samples: parseMetrics(text) };
}

export interface FoundExemplar {
  series: string;
  traceId: string;
  spanId: string;
}

/** The exemplars of a page (OpenMetrics 1.0). */
export function exemplarsOf({ text }: Page): FoundExemplar[] {
  return [
    ...text.matchAll(/^(\w+_bucket\{.*\}) \S+ # \{trace_id="([0-9a-f]{32})",span_id="([0-9a-f]{16})"\} \S+ \S+$/gm),
  ].map(([, series = "", traceId = "", spanId = ""]) => ({ series, traceId, spanId }));
}
