import { styleText } from "node:util";
import type { TraceNode, TraceTree } from "./tree.ts";

export interface RenderOptions {
  /** For a terminal. */
  color?: boolean;
}

const width = 28;

/**
 * The tree as lines of text: when each hop began, how long it took and how much of that was its own, a bar of where it
 * was in the whole, and its branch with instance and operation. `*` marks the critical path; waits have a lighter bar.
 */
export function renderTraceTree(tree: TraceTree, { color = false }: RenderOptions = {}): string {
  const paint: Paint = (style, text) => (color ? styleText(style, text, { validateStream: false }) : text);
  const lines = [...headOf(tree), "", titles];
  const draw = (node: TraceNode, stem: string, branch: string, next: string) => {
    const mark = node.critical ? "*" : " ";
    const label = `${paint("gray", stem + branch)}${labelOf(node, paint)}`;
    lines.push(`${timesOf(node)} ${mark} ${paint(colorOf(node), barOf(node, tree.duration))}  ${label}`);
    for (const [index, child] of node.children.entries()) {
      const isLast = index === node.children.length - 1;
      draw(child, stem + next, isLast ? "└─ " : "├─ ", isLast ? "   " : "│  ");
    }
  };
  for (const root of tree.roots) draw(root, "", "", "");
  return lines.join("\n");
}

type Color = "red" | "cyan" | "gray" | "bold";
type Paint = (style: Color, text: string) => string;

function timesOf({ offset, duration, own }: TraceNode): string {
  return [offset, duration, own].map((time) => milliseconds(time).padStart(9)).join("");
}

function labelOf({ instance, operation, kind, failed, error }: TraceNode, paint: Paint): string {
  const fault = failed ? paint("red", ["  FAILED", error].filter(Boolean).join(" ")) : "";
  return `${paint(kind === "wait" ? "gray" : "bold", instance)}  ${operation}${fault}`;
}

function colorOf({ failed, critical }: TraceNode): Color {
  if (failed) return "red";
  return critical ? "cyan" : "gray";
}

const titles = `${["AT", "TOOK", "OWN"].map((title) => title.padStart(9)).join("")}   ${"".padEnd(width)}  (milliseconds; * is on the critical path)`;

function headOf({ traceId, duration, answered, waited, spans, services, roots }: TraceTree): string[] {
  const over = duration > answered ? `, all of it over after ${milliseconds(duration)} ms` : "";
  const waits = waited > 0 ? `, ${milliseconds(waited)} ms of that waiting for its turn` : "";
  const apart = roots.length > 1 ? `; ${roots.length - 1} without their parents, which may still come` : "";
  return [
    `trace ${traceId}`,
    `answered in ${milliseconds(answered)} ms${over}${waits}`,
    `${spans} spans of ${services.length} services: ${services.join(", ")}${apart}`,
  ];
}

function barOf({ offset, duration, kind }: TraceNode, whole: number): string {
  const scale = width / Math.max(1, whole);
  const from = Math.min(width - 1, Math.floor(offset * scale));
  const length = Math.max(1, Math.min(width - from, Math.round(duration * scale)));
  return `${" ".repeat(from)}${(kind === "wait" ? "░" : "█").repeat(length)}`.padEnd(width);
}

function milliseconds(microseconds: number): string {
  return (microseconds / 1000).toFixed(1);
}
