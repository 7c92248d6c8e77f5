import { ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";
import type { Rules } from "./text.ts";

interface Range {
  min: bigint;
  max: bigint;
}

const ranges: Partial<Record<ScalarType, Range>> = {
  ...each([ScalarType.INT32, ScalarType.SINT32, ScalarType.SFIXED32], { min: -(2n ** 31n), max: 2n ** 31n - 1n }),
  ...each([ScalarType.UINT32, ScalarType.FIXED32], { min: 0n, max: 2n ** 32n - 1n }),
  ...each([ScalarType.INT64, ScalarType.SINT64, ScalarType.SFIXED64], { min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  ...each([ScalarType.UINT64, ScalarType.FIXED64], { min: 0n, max: 2n ** 64n - 1n }),
};

function each(types: ScalarType[], range: Range): Partial<Record<ScalarType, Range>> {
  return Object.fromEntries(types.map((type) => [type, range]));
}

function isLong(scalar: ScalarType): boolean {
  return (ranges[scalar]?.max ?? 0n) > 2n ** 32n;
}

/** Numbers within the bounds of the rules, the bounds themselves often. */
export function validNumber(scalar: ScalarType, rules: Rules): fc.Arbitrary<number | bigint> {
  const range = ranges[scalar];
  if (Array.isArray(rules.in)) return fc.constantFrom(...(rules.in as number[]));
  if (rules.const !== undefined) return fc.constant(rules.const as number);
  if (range === undefined) return floating(rules);
  const { min, max } = narrowed(range, rules);
  const integers = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(min, max) },
    { weight: 3, arbitrary: fc.bigInt({ min, max: min + 20n < max ? min + 20n : max }) },
    { weight: 1, arbitrary: fc.bigInt({ min, max }) },
  );
  return integers.map((value) => (isLong(scalar) ? value : Number(value)));
}

function narrowed(range: Range, rules: Rules): Range {
  const limit = (name: string, shift: bigint) =>
    rules[name] === undefined ? undefined : BigInt(rules[name] as number) + shift;
  const min = limit("gte", 0n) ?? limit("gt", 1n) ?? range.min;
  const max = limit("lte", 0n) ?? limit("lt", -1n) ?? range.max;
  // Bounds the other way round mean what lies outside of them.
  return min <= max ? { min, max } : { min, max: range.max };
}

/** With six digits behind the point at most, and no minus zero, so that each protocol can tell the same number. */
function floating(rules: Rules): fc.Arbitrary<number> {
  const min = Number(rules.gte ?? rules.gt ?? -1e9);
  const max = Number(rules.lte ?? rules.lt ?? 1e9);
  return fc.double({ min, max, noNaN: true }).map((value) => Math.round(value * 1e6) / 1e6 + 0);
}

/** Just outside each bound. */
export function brokenNumbers(scalar: ScalarType, rules: Rules): Record<string, fc.Arbitrary<number | bigint>> {
  const range = ranges[scalar];
  const sized = (value: bigint) => (isLong(scalar) ? value : Number(value));
  const broken: Record<string, fc.Arbitrary<number | bigint>> = {};
  if (range === undefined) {
    if (rules.finite) broken.finite = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY);
    return broken;
  }
  const { min, max } = narrowed(range, rules);
  if (min > range.min) broken.tooLow = fc.constantFrom(sized(min - 1n), sized(range.min));
  if (max < range.max) broken.tooHigh = fc.constantFrom(sized(max + 1n), sized(range.max));
  if (Array.isArray(rules.in)) broken.in = fc.constant(sized(range.max));
  if (rules.const !== undefined) broken.const = fc.constant(sized(range.max));
  return broken;
}
