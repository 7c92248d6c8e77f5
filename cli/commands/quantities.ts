import { InvalidArgumentError } from "commander";

const factors: Readonly<Record<string, number>> = { ms: 1, s: 1000, "": 1000, m: 60_000, min: 60_000, h: 3_600_000 };

/** A span of time in milliseconds: `500ms`, `30s`, `2m`; a bare number is of seconds. */
export function milliseconds(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|min|h)?$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError("Write a time as 500ms, 30s or 2m.");
  return Number(number) * (factors[unit] as number);
}

/** A share from 0 to 1: `20` and `20%` are 0.2. */
export function percent(text: string): number {
  const [, number] = /^(\d+(?:\.\d+)?)%?$/.exec(text) ?? [];
  if (number === undefined || Number(number) > 100) throw new InvalidArgumentError("Write a share as 20%, up to 100%.");
  return Number(number) / 100;
}

/** A whole number above nought. */
export function whole(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError("It must be a whole number above 0.");
  return Number(text);
}

/** Some of the known words, between commas. */
export function someOf<T extends string>(text: string, known: readonly T[]): T[] {
  const words = text.split(",").map((word) => word.trim());
  const strange = words.find((word) => !known.some((name) => name === word));
  if (strange !== undefined) throw new InvalidArgumentError(`"${strange}" is not one of ${known.join(", ")}.`);
  return words as T[];
}
