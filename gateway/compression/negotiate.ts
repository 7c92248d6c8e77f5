import { type Coding, codings } from "./codings.ts";

const item = /^\s*([\w*!#$%&'+.^`|~-]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?$/i;

/**
 * The coding to answer in, by Accept-Encoding (RFC 9110, section 12.5.3): the one that the client likes most, and of
 * those that it likes equally, ours. Undefined: none. What cannot be understood is as good as not there.
 */
export function negotiateCoding(accept: string | undefined): Coding | undefined {
  if (accept === undefined) return undefined;
  const weights = new Map<string, number>();
  for (const part of accept.split(",")) {
    const [, name, weight = "1"] = item.exec(part) ?? [];
    if (name !== undefined) weights.set(name.toLowerCase(), Math.min(1, Number(weight)));
  }
  const rest = weights.get("*") ?? 0;
  let best: Coding | undefined;
  let bestWeight = 0;
  for (const coding of codings) {
    const weight = weights.get(coding.name) ?? (coding.name === "gzip" ? weights.get("x-gzip") : undefined) ?? rest;
    if (weight > bestWeight) [best, bestWeight] = [coding, weight];
  }
  return bestWeight >= (weights.get("identity") ?? 0) ? best : undefined;
}
