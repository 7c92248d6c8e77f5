import { type DescEnum, type DescField, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";
import { brokenNumbers, validNumber } from "./number.ts";
import { bounds, brokenTexts, type Rules, validText } from "./text.ts";

type Values = fc.Arbitrary<unknown>;

/** One value of a scalar field, or one item of a list or map of them. */
export function validScalar(field: DescField, scalar: ScalarType, rules: Rules): Values {
  switch (scalar) {
    case ScalarType.STRING:
      return validText(field, rules);
    case ScalarType.BOOL:
      return rules.const === undefined ? fc.boolean() : fc.constant(rules.const);
    case ScalarType.BYTES:
      return validBytes(rules);
    default:
      return validNumber(scalar, rules);
  }
}

function validBytes(rules: Rules): Values {
  const { least, most } = bounds(rules);
  const some = fc.uint8Array({ minLength: least, maxLength: Math.min(most, least + 60) });
  const lines = fc.array(fc.string({ unit: "grapheme-ascii", maxLength: 20 }), { minLength: 1, maxLength: 5 });
  const written = lines.map(
    (parts) => new Uint8Array(Buffer.from(parts.join("\n").padEnd(least, " ")).subarray(0, most)),
  );
  const longest = fc.constant(most).map((length) => new Uint8Array(length).fill(0x61));
  return fc.oneof(
    { weight: 40, arbitrary: some },
    { weight: 40, arbitrary: written },
    { weight: 1, arbitrary: longest },
  );
}

/** For each rule of a scalar, values that break it. */
export function brokenScalars(scalar: ScalarType, rules: Rules): Record<string, Values> {
  if (scalar === ScalarType.STRING) return brokenTexts(rules);
  if (scalar === ScalarType.BOOL) return rules.const === undefined ? {} : { const: fc.constant(rules.const !== true) };
  if (scalar !== ScalarType.BYTES) return brokenNumbers(scalar, rules);
  const { least, most } = bounds(rules);
  const broken: Record<string, Values> = {};
  if (least > 0) broken.tooShort = fc.constant(new Uint8Array(least - 1));
  if (rules.maxLen ?? rules.len) broken.tooLong = fc.constant(most + 1).map((length) => new Uint8Array(length));
  return broken;
}

export function validEnum({ values }: DescEnum, rules: Rules): Values {
  if (typeof rules.const === "number") return fc.constant(rules.const);
  if (Array.isArray(rules.in)) return fc.constantFrom(...(rules.in as number[]));
  const known = values.map(({ number }) => number).filter((number) => !asNumbers(rules.notIn).includes(number));
  const defined = fc.constantFrom(...known);
  if (rules.definedOnly) return defined;
  return fc.oneof({ weight: 9, arbitrary: defined }, { weight: 1, arbitrary: fc.constantFrom(99, -1, 2 ** 31 - 1) });
}

export function brokenEnums({ values }: DescEnum, rules: Rules): Record<string, Values> {
  const broken: Record<string, Values> = {};
  if (rules.definedOnly) broken.definedOnly = fc.constantFrom(99, -1, 2 ** 31 - 1, -(2 ** 31));
  const wanted = asNumbers(rules.in);
  if (wanted.length > 0) {
    const others = values.map(({ number }) => number).filter((number) => !wanted.includes(number));
    broken.in = fc.constantFrom(...others, 77);
  }
  const unwanted = asNumbers(rules.notIn);
  if (unwanted.length > 0) broken.notIn = fc.constantFrom(...unwanted);
  return broken;
}

function asNumbers(value: unknown): number[] {
  return Array.isArray(value) ? (value as number[]) : [];
}
