import { setTimeout as delay } from "node:timers/promises";
import { fetchTrace } from "../trace/jaeger.ts";
import { buildTraceTree, type TraceNode, type TraceTree } from "../trace/tree.ts";
import { UserError } from "../user-error.ts";

/** The services that a change passes on its way from the edge to a mailbox. */
export const stations = ["envoy-edge", "gateway", "envoy-mesh", "task", "consumers"];

/** The operations that a whole trace shows beside the calls: the waits and the mail. */
export const waypoints = [
  /^outbox wait/,
  /^send task\.events\.v1/,
  /^wait task\.events\.v1/,
  /^process task\.events\.v1/,
  /^process notification\.deliveries\.v1/,
  /^send mail/,
];

const patienceMs = 20_000;

/** The trace once every hop has been reported; says which one is missing when the time is over. */
export async function wholeTrace(jaeger: string, traceId: string): Promise<TraceTree> {
  const end = Date.now() + patienceMs;
  for (;;) {
    const tree = await fetchTrace(jaeger, traceId)
      .then(buildTraceTree)
      .catch((error: unknown) => {
        if (Date.now() >= end) throw error;
        return undefined;
      });
    const missing = tree === undefined ? stations : missingHops(tree);
    if (tree !== undefined && missing.length === 0) return tree;
    if (Date.now() >= end) throw new UserError(`The trace ${traceId} is not whole: it lacks ${missing.join(", ")}`);
    await delay(250);
  }
}

/** The hops that a trace lacks, in words. */
export function missingHops(tree: TraceTree): string[] {
  const operations = tree.roots.flatMap(allOperations);
  const lacking = stations.filter((service) => !tree.services.includes(service));
  const silent = waypoints.filter((pattern) => !operations.some((operation) => pattern.test(operation)));
  const strays = tree.roots.length > 1 ? [`the parents of ${tree.roots.length - 1} spans`] : [];
  return [...lacking, ...silent.map(({ source }) => source.replace(/[\\^]/g, "")), ...strays];
}

function allOperations(node: TraceNode): string[] {
  return [node.operation, ...node.children.flatMap(allOperations)];
}
