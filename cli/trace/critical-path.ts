import type { TraceNode } from "./tree.ts";

/** Clocks of processes, and of what only counts milliseconds, do not agree better than this. */
const tolerance = 1000;

/**
 * Marks the hops that made the trace take as long as it did: backwards from its end, at each moment the one that ended
 * last before it. What ran beside them could have been quicker and nobody would have noticed.
 */
export function markCriticalPath(roots: readonly TraceNode[]): void {
  const ends = new Map<TraceNode, number>();
  for (const root of roots) endOf(root, ends);
  markBefore(roots, Number.POSITIVE_INFINITY, ends);
}

/** When the last of a hop and all below it ended: what it set in motion may outlast it by far. */
function endOf(node: TraceNode, ends: Map<TraceNode, number>): number {
  const own = node.offset + node.duration;
  const end = node.children.reduce((latest, child) => Math.max(latest, endOf(child, ends)), own);
  ends.set(node, end);
  return end;
}

function markBefore(nodes: readonly TraceNode[], before: number, ends: ReadonlyMap<TraceNode, number>): void {
  const end = (node: TraceNode) => ends.get(node) ?? 0;
  let moment = before;
  for (const node of [...nodes].sort((one, other) => end(other) - end(one))) {
    if (end(node) > moment + tolerance || node.offset >= moment) continue;
    node.critical = true;
    markBefore(node.children, Math.min(moment, end(node)) + 1, ends);
    moment = node.offset;
  }
}
