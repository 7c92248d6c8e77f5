import { type DescField, getOption, hasOption, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { FieldRulesSchema, field as fieldRules } from "#gen/buf/validate/validate_pb.js";
import type { Schema } from "./model.ts";

/** The rules of buf.validate for one field or item, in their JSON form. Only those that are given are in it. */
export interface Rules {
  ignore?: "IGNORE_IF_ZERO_VALUE" | "IGNORE_ALWAYS";
  cel?: { message?: string; expression?: string }[];
  celExpression?: string[];
  enum?: { const?: number; in?: number[]; notIn?: number[] };
  repeated?: { minItems?: string; maxItems?: string; unique?: boolean; items?: Rules };
  map?: { minPairs?: string; maxPairs?: string; keys?: Rules; values?: Rules };
  [type: string]: unknown;
}

/** What the rules for one value mean in JSON Schema; the notes say in words what it has no keyword for. */
export interface Constraints {
  keywords: Schema[];
  notes: string[];
}

export function rulesOf(field: DescField): Rules {
  if (!hasOption(field, fieldRules)) return {};
  const rules = toJson(FieldRulesSchema, getOption(field, fieldRules)) as Rules;
  return rules.ignore === "IGNORE_ALWAYS" ? {} : rules;
}

type Translation = (value: never) => Schema;

const formats: Record<string, string> = {
  email: "email",
  hostname: "hostname",
  ipv4: "ipv4",
  ipv6: "ipv6",
  uri: "uri",
  uriRef: "uri-reference",
  uuid: "uuid",
};

const text: Record<string, Translation> = {
  len: (length: string) => ({ minLength: Number(length), maxLength: Number(length) }),
  minLen: (length: string) => ({ minLength: Number(length) }),
  maxLen: (length: string) => ({ maxLength: Number(length) }),
  maxBytes: (length: string) => ({ maxLength: Number(length) }),
  prefix: (start: string) => ({ pattern: `^${quoted(start)}` }),
  suffix: (end: string) => ({ pattern: `${quoted(end)}$` }),
  contains: (part: string) => ({ pattern: quoted(part) }),
  notContains: (part: string) => ({ not: { pattern: quoted(part) } }),
  pattern: (pattern: string) => ({ pattern }),
  ip: () => ({ anyOf: [{ format: "ipv4" }, { format: "ipv6" }] }),
  address: () => ({ anyOf: [{ format: "hostname" }, { format: "ipv4" }, { format: "ipv6" }] }),
  tuuid: () => ({ pattern: "^[0-9a-fA-F]{32}$" }),
  ulid: () => ({ pattern: "^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$" }),
  ...Object.fromEntries(Object.entries(formats).map(([rule, format]) => [rule, () => ({ format })])),
};

// Base64 may come without its padding, so that the shortest form counts below and the longest one above.
const bytes: Record<string, Translation> = {
  minLen: (length: string) => ({ minLength: Math.ceil((Number(length) * 4) / 3) }),
  maxLen: (length: string) => ({ maxLength: Math.ceil(Number(length) / 3) * 4 }),
};

const number: Record<string, Translation> = {
  gt: (limit: number) => ({ exclusiveMinimum: limit }),
  gte: (limit: number) => ({ minimum: limit }),
  lt: (limit: number) => ({ exclusiveMaximum: limit }),
  lte: (limit: number) => ({ maximum: limit }),
  finite: () => ({ type: "number" }),
};

// In JSON the integers of 64 bits are texts, which have no bounds.
const wide: Record<string, Translation> = {};

const ofAny: Record<string, Translation> = {
  const: (value: JsonValue) => ({ const: value }),
  in: (values: JsonValue[]) => ({ enum: values }),
  notIn: (values: JsonValue[]) => ({ not: { enum: values } }),
};

const translations: Record<string, Record<string, Translation>> = {
  string: text,
  bytes,
  bool: {},
  ...Object.fromEntries(
    ["float", "double", "int32", "sint32", "sfixed32", "uint32", "fixed32"].map((type) => [type, number]),
  ),
  ...Object.fromEntries(["int64", "sint64", "sfixed64", "uint64", "fixed64"].map((type) => [type, wide])),
};

/** The rules for one scalar value. */
export function constraintsOf(rules: Rules): Constraints {
  const keywords: Schema[] = [];
  const notes = celNotes(rules);
  for (const [type, table] of Object.entries(translations)) {
    for (const [rule, value] of Object.entries((rules[type] ?? {}) as JsonObject)) {
      if (rule === "example" || value === false) continue;
      const keyword = translate(rule, value, { ...ofAny, ...table });
      if (keyword) keywords.push(keyword);
      else notes.push(`${inWords(rule)} ${value === true ? "" : JSON.stringify(value)}`.trimEnd());
    }
  }
  return { keywords: widen(keywords), notes };
}

/** The examples that the rules give themselves. */
export function declaredExamples(rules: Rules): JsonValue[] {
  return Object.values(rules).flatMap((typed) => (typed as { example?: JsonValue[] } | undefined)?.example ?? []);
}

function translate(rule: string, value: unknown, table: Record<string, Translation>): Schema | undefined {
  const keyword = table[rule]?.(value as never);
  const pattern = keyword?.pattern;
  return typeof pattern === "string" && !isRegExp(pattern) ? undefined : keyword;
}

/** The rules that only an expression can say, in the words that a violation is answered with. */
function celNotes({ cel = [], celExpression = [] }: Rules): string[] {
  return [...cel.map(({ message, expression }) => message || (expression ?? "")), ...celExpression];
}

/** A lower bound above the upper one means: outside of what lies between them. */
function widen(keywords: Schema[]): Schema[] {
  const lower = keywords.find(({ minimum, exclusiveMinimum }) => (minimum ?? exclusiveMinimum) !== undefined);
  const upper = keywords.find(({ maximum, exclusiveMaximum }) => (maximum ?? exclusiveMaximum) !== undefined);
  const from = Number(lower?.minimum ?? lower?.exclusiveMinimum);
  const to = Number(upper?.maximum ?? upper?.exclusiveMaximum);
  if (lower === undefined || upper === undefined || from <= to) return keywords;
  return [...keywords.filter((keyword) => keyword !== lower && keyword !== upper), { anyOf: [lower, upper] }];
}

/** Whether a value fits what one of our own keywords says. */
export function fits(keyword: Schema, value: string | number | boolean): boolean {
  const { minLength, pattern, format, anyOf, not } = keyword;
  if (anyOf !== undefined) return anyOf.some((part) => fits(part, value));
  if (not !== undefined) return !fits(not as Schema, value);
  if (keyword.const !== undefined) return keyword.const === value;
  if (Array.isArray(keyword.enum)) return (keyword.enum as JsonValue[]).includes(value);
  if (typeof value === "number") return inBounds(keyword, value);
  if (typeof value !== "string") return true;
  if (format !== undefined) return value !== "";
  if (typeof pattern === "string") return new RegExp(pattern, "u").test(value);
  return value.length >= Number(minLength ?? 0);
}

function inBounds({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Schema, value: number): boolean {
  if (minimum !== undefined && value < Number(minimum)) return false;
  if (exclusiveMinimum !== undefined && value <= Number(exclusiveMinimum)) return false;
  if (maximum !== undefined && value > Number(maximum)) return false;
  return exclusiveMaximum === undefined || value < Number(exclusiveMaximum);
}

function isRegExp(pattern: string): boolean {
  try {
    new RegExp(pattern, "u");
    return true;
  } catch {
    return false;
  }
}

function quoted(literal: string): string {
  return literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

function inWords(rule: string): string {
  return rule.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
