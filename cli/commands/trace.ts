import { readSettings } from "../runner/settings.ts";
import { fetchLastTrace, fetchTrace } from "../trace/jaeger.ts";
import { renderTraceTree } from "../trace/render.ts";
import { buildTraceTree } from "../trace/tree.ts";
import { printJson } from "./output.ts";

/** `mesh trace ID` or `mesh trace last`: the way of one request through the mesh, with the time of each hop. */
export async function trace(id: string, { json }: { json?: boolean }): Promise<void> {
  const jaeger = process.env.JAEGER_QUERY_URL || `http://127.0.0.1:${readSettings().publicPorts.jaeger}`;
  const found = id === "last" ? await fetchLastTrace(jaeger, "gateway") : await fetchTrace(jaeger, id);
  const tree = buildTraceTree(found);
  if (json) printJson(tree);
  else process.stdout.write(`${renderTraceTree(tree, { color: process.stdout.hasColors?.() ?? false })}\n`);
}
