import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isPlainText, wrappedField } from "../transcoding/field-path.ts";
import type { Schema } from "./model.ts";
import { constraintsOf, fits, type Rules } from "./rules.ts";

const int32 = { type: "integer", format: "int32", minimum: -2_147_483_648, maximum: 2_147_483_647 };
const uint32 = { type: "integer", format: "uint32", minimum: 0, maximum: 4_294_967_295 };
const int64 = { type: "string", format: "int64", pattern: "^-?\\d{1,19}$" };
const uint64 = { type: "string", format: "uint64", pattern: "^\\d{1,20}$" };
const base64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";

/** The JSON form of a scalar (protobuf.dev, ProtoJSON), before any rules. */
export function scalarSchema(scalar: ScalarType): Schema {
  switch (scalar) {
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.STRING:
      return { type: "string" };
    case ScalarType.BYTES:
      return { type: "string", contentEncoding: "base64", pattern: base64 };
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return { anyOf: [{ type: "number" }, { type: "string", enum: ["NaN", "Infinity", "-Infinity"] }] };
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return { ...int32 };
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { ...uint32 };
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { ...uint64 };
    default:
      return { ...int64 };
  }
}

/** The messages that JSON writes in a form of their own; undefined for all others. */
export function wellKnownSchema(message: DescMessage): Schema | undefined {
  switch (message.typeName) {
    case "google.protobuf.Timestamp":
      return { type: "string", format: "date-time" };
    case "google.protobuf.Duration":
      return { type: "string", pattern: "^-?\\d{1,12}(?:\\.\\d{1,9})?s$" };
    case "google.protobuf.FieldMask":
      return { type: "string", pattern: "^(?:[A-Za-z0-9_.]+(?:,[A-Za-z0-9_.]+)*)?$" };
    case "google.protobuf.Struct":
      return { type: "object" };
    case "google.protobuf.Any":
      return { type: "object", properties: { "@type": { type: "string" } }, required: ["@type"] };
    case "google.protobuf.ListValue":
      return { type: "array" };
    case "google.protobuf.Value":
      return {};
    default: {
      const wrapped = isPlainText(message) ? wrappedField(message) : undefined;
      return wrapped?.fieldKind === "scalar" ? nullable(scalarSchema(wrapped.scalar)) : undefined;
    }
  }
}

/** A schema, and in words those of the rules that it has no keyword for. */
export interface Constrained {
  schema: Schema;
  notes: string[];
}

/** A schema with the rules for one scalar in it. `zero` is allowed whatever they say, unless it is undefined. */
export function constrained(schema: Schema, rules: Rules, zero: string | number | boolean | undefined): Constrained {
  const { keywords, notes } = constraintsOf(rules);
  const merged = merge(schema, keywords);
  if (zero === undefined || keywords.every((keyword) => fits(keyword, zero))) return { schema: merged, notes };
  const { type, ...ruled } = merged;
  return { schema: { type, anyOf: [{ const: zero }, ruled] }, notes };
}

/** Puts keywords into a schema; those that it has already, and that say something else, go under allOf. */
function merge(schema: Schema, keywords: readonly Schema[]): Schema {
  const merged: Schema = { ...schema };
  const further: Schema[] = [];
  for (const keyword of keywords) {
    const clashes = Object.keys(keyword).some((name) => name in merged && !narrows(name));
    if (clashes) further.push(keyword);
    else Object.assign(merged, keyword);
  }
  return further.length > 0 ? { ...merged, allOf: [...(merged.allOf ?? []), ...further] } : merged;
}

/** Bounds of a rule are within those of the type. */
function narrows(name: string): boolean {
  return name === "minimum" || name === "maximum";
}

/** The schema of a value that may be null as well. */
export function nullable(schema: Schema): Schema {
  const { description, type, ...rest } = schema;
  const simple = typeof type === "string" && !("enum" in rest || "const" in rest || "anyOf" in rest || "allOf" in rest);
  if (simple) return { ...schema, type: [type, "null"] };
  const either = { anyOf: [type === undefined ? rest : { type, ...rest }, { type: "null" }] };
  return description === undefined ? either : { description, ...either };
}

/** What a field without presence holds when it was not given, in JSON. */
export function zeroOf(field: DescField): string | number | boolean | undefined {
  if (field.fieldKind !== "scalar") return undefined;
  if (field.scalar === ScalarType.BOOL) return false;
  const { type, format } = scalarSchema(field.scalar);
  if (type === "string") return format === undefined ? "" : "0";
  return 0;
}
