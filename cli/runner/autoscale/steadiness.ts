import type { Direction, Policy } from "./policy.ts";

/** What was asked for and what was done before, as far as it still counts. Times in milliseconds. */
export interface Memory {
  readonly wishes: readonly { at: number; replicas: number }[];
  readonly changes: readonly { at: number; by: number }[];
}

export const noMemory: Memory = { wishes: [], changes: [] };

export interface Step {
  replicas: number;
  /** Why it is not what was asked for; undefined when it is. */
  held: string | undefined;
}

type Limits = Pick<Policy, "min" | "max" | "up" | "down">;

/**
 * How many replicas there are to be, given how many were asked for: within the bounds, only when all wishes of the
 * window agree, and no faster than the rules allow. It is what keeps replicas from flapping, and works as the
 * `behavior` of a HorizontalPodAutoscaler does.
 */
export function steady(limits: Limits, memory: Memory, at: { now: number; current: number; wished: number }): Step {
  const { min, max } = limits;
  if (at.current < min) return { replicas: min, held: at.wished < min ? `the least is ${min}` : undefined };
  if (at.current > max) return { replicas: max, held: `the most is ${max}` };
  const bounded = Math.min(max, Math.max(min, at.wished));
  const settled = settle(limits, memory, { ...at, wished: bounded });
  const replicas = pace(limits, memory, { ...at, wished: settled });
  return { replicas, held: reason(at.wished, bounded, settled, replicas, limits) };
}

/** The memory with a wish, and with the change that came of it (0 for none), without what no longer counts. */
export function remember(
  { up, down }: Limits,
  memory: Memory,
  { now, wished, by }: { now: number; wished: number; by: number },
): Memory {
  const longest = Math.max(0, ...[...up.rules, ...down.rules].map(({ periodMs }) => periodMs));
  return {
    wishes: [
      ...memory.wishes.filter(({ at }) => now - at < Math.max(up.windowMs, down.windowMs)),
      { at: now, replicas: wished },
    ],
    changes: [...memory.changes.filter(({ at }) => now - at < longest), ...(by === 0 ? [] : [{ at: now, by }])],
  };
}

interface Wish {
  now: number;
  current: number;
  wished: number;
}

/** More only if every wish of the upward window was for more, fewer only if every one of the downward window was for fewer. */
function settle({ min, max, up, down }: Limits, { wishes }: Memory, { now, current, wished }: Wish): number {
  const within = (windowMs: number) => [
    wished,
    ...wishes.filter(({ at }) => now - at < windowMs).map(({ replicas }) => Math.min(max, Math.max(min, replicas))),
  ];
  const least = Math.min(...within(up.windowMs));
  const most = Math.max(...within(down.windowMs));
  return Math.min(Math.max(current, least), most);
}

function pace({ min, max, up, down }: Limits, { changes }: Memory, { now, current, wished }: Wish): number {
  if (wished > current) return Math.min(wished, Math.max(current, Math.min(max, bound(up, +1))));
  if (wished < current) return Math.max(wished, Math.min(current, Math.max(min, bound(down, -1))));
  return current;

  /** How far the rules let it go from where it was at the beginning of their periods. */
  function bound({ select, rules }: Direction, sign: 1 | -1): number {
    if (select === "Disabled") return current;
    if (rules.length === 0) return wished;
    const bounds = rules.map(({ type, value, periodMs }) => {
      const since = changes.filter(({ at }) => now - at < periodMs).reduce((sum, { by }) => sum + by, 0);
      const start = current - since;
      if (type === "Pods") return start + sign * value;
      return sign > 0 ? Math.ceil(start * (1 + value / 100)) : Math.floor(start * (1 - value / 100));
    });
    const farthest = (select === "Max") === sign > 0 ? Math.max : Math.min;
    return farthest(...bounds);
  }
}

function reason(wished: number, bounded: number, settled: number, replicas: number, { min, max }: Limits) {
  if (replicas === wished) return undefined;
  if (replicas !== settled) return "no faster than the rules allow";
  if (settled !== bounded) return "until the window agrees";
  return wished > max ? `the most is ${max}` : `the least is ${min}`;
}
