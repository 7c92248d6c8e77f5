import { randomInt } from "node:crypto";
import type { Limit } from "../../../gateway/limits/presets.ts";
import { presets } from "../../../gateway/limits/presets.ts";
import { adjust } from "../../../gateway/limits/rules.ts";

/** An address that no other test has, nor one of a run just before: each has full buckets. */
export function newAddress(): string {
  return `10.${randomInt(256)}.${randomInt(256)}.${randomInt(256)}`;
}

/** The limits of a preset with some of them changed. */
export function limitsWith(preset: keyof typeof presets, ...overrides: string[]): Limit[] {
  const limits = adjust(presets[preset], overrides, 1);
  if (typeof limits === "string") throw new Error(limits);
  return limits;
}

/** What an answer says of one limit: what is left, and in how many seconds there is more. */
export function stateOf(headers: Headers, name: string): { remaining: number; seconds: number } | undefined {
  const match = new RegExp(`"${name}";r=(\\d+);t=(\\d+)`).exec(headers.get("ratelimit") ?? "");
  return match ? { remaining: Number(match[1]), seconds: Number(match[2]) } : undefined;
}
