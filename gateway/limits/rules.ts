import { policyField } from "./fields.ts";
import type { CallerKind, ClassName, Limit } from "./presets.ts";

/** The limits that count one kind of call. */
export interface Rule {
  readonly limits: readonly Limit[];
  /** The value of RateLimit-Policy. */
  readonly policyField: string;
}

export type RuleOf = (caller: CallerKind, rateClass: ClassName) => Rule;

/** Which limits count a call, worked out once for every kind of caller and class. */
export function rulesOf(limits: readonly Limit[]): RuleOf {
  const rules = new Map<string, Rule>();
  return (caller, rateClass) => {
    const key = `${caller} ${rateClass}`;
    let rule = rules.get(key);
    if (rule === undefined) {
      const counting = limits.filter(
        ({ callers, only }) => callers.includes(caller) && (only === undefined || only === rateClass),
      );
      rule = { limits: counting, policyField: policyField(counting) };
      rules.set(key, rule);
    }
    return rule;
  };
}

const override = /^([a-z0-9-]+)=(\d{1,9})\/(\d{1,9})$/;

/**
 * The limits with some of them replaced, "general=100/1" (points and seconds), and all points multiplied by `scale`.
 * Answers with a phrase about what is wrong when an override is malformed or names no limit.
 */
export function adjust(limits: readonly Limit[], overrides: readonly string[], scale: number): Limit[] | string {
  const changed = new Map(limits.map((limit) => [limit.name, limit]));
  for (const text of overrides) {
    const [, name = "", points, seconds] = override.exec(text) ?? [];
    const limit = changed.get(name);
    if (limit === undefined) return `each must be name=points/seconds with a name of ${[...changed.keys()].join(", ")}`;
    if (Number(points) < 1 || Number(seconds) < 1) return "points and seconds must be 1 or more";
    changed.set(name, { ...limit, points: Number(points), seconds: Number(seconds) });
  }
  return [...changed.values()].map((limit) => ({ ...limit, points: Math.max(1, Math.round(limit.points * scale)) }));
}
