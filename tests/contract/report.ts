import type { Answer } from "./drive/answer.ts";
import { codeNames } from "./drive/answer.ts";

/** Something that must not be. */
export interface Finding {
  world: number;
  index: number;
  method: string;
  kind: string;
  what: string;
}

/** The last one is the answer to a second try, which the mesh makes while the first one still waits. */
const starvedReasons = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "IDEMPOTENCY_KEY_IN_FLIGHT"];
/** No hop gives up earlier. */
const patienceMs = 700;

export interface Limits {
  /** A finding is also an answer that took longer. */
  slowMs: number;
  /** Other work may have the processors. */
  shared: boolean;
}

/** What a run has seen so far. */
export class Report {
  calls = 0;
  readonly byProtocol = new Map<string, number>();
  readonly byCode = new Map<string, number>();
  readonly byMethod = new Map<string, number>();
  readonly findings: Finding[] = [];
  slowest: { milliseconds: number; protocol: string; method: string; kind: string } | undefined;
  /** Calls that waited in vain for a processor, where that is no finding. */
  starved = 0;
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /**
   * Whether the mesh gave a call up because its processes did not get to it. Where other work may have the processors
   * that says nothing about the mesh; elsewhere it is never so.
   */
  isStarved({ failure, milliseconds }: Answer): boolean {
    return this.#limits.shared && milliseconds > patienceMs && starvedReasons.includes(failure?.reason ?? "");
  }

  /** Counts one answer. */
  add(answer: Answer, { protocol, method, kind }: { protocol: string; method: string; kind: string }): string[] {
    const { milliseconds, failure } = answer;
    this.calls += 1;
    if (this.isStarved(answer)) this.starved += 1;
    increment(this.byProtocol, protocol);
    increment(this.byCode, failure ? (codeNames[failure.code] ?? String(failure.code)) : "OK");
    increment(this.byMethod, method);
    if (milliseconds > (this.slowest?.milliseconds ?? 0)) this.slowest = { milliseconds, protocol, method, kind };
    return milliseconds > this.#limits.slowMs ? [`answered after ${Math.round(milliseconds)} ms`] : [];
  }

  /** In a few lines. */
  text(): string {
    const { slowest } = this;
    return [
      `calls      ${this.calls}`,
      `protocols  ${counts(this.byProtocol)}`,
      `codes      ${counts(this.byCode)}`,
      `RPCs       ${this.byMethod.size}`,
      ...(slowest
        ? [
            `slowest    ${Math.round(slowest.milliseconds)} ms: ${slowest.method} by ${slowest.protocol}, ${slowest.kind}`,
          ]
        : []),
      ...(this.starved > 0 ? [`starved    ${this.starved}`] : []),
      `findings   ${this.findings.length}`,
    ].join("\n");
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function counts(map: Map<string, number>): string {
  return [...map]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(" · ");
}

/** One line for a finding, with what plays its world again. */
export function describeFinding(seed: number) {
  return ({ world, index, method, kind, what }: Finding) =>
    `${method} (${kind}): ${what}\n  npm run fuzz -- --seed ${seed} --world ${world}   # its case ${index}`;
}
