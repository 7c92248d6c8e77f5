import { type DescField, type DescMessage, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import type { FieldFault } from "./errors.ts";
import { fieldsByName, hasOwnJsonForm, wrappedField } from "./field-path.ts";
import { valueExpectation } from "./text-value.ts";

const longScalars: ReadonlySet<ScalarType | undefined> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);
const duration = /^-?\d{1,12}(?:\.\d{1,9})?s$/;
const watched = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/**
 * What the decoder of protobuf-es takes although it does not keep the value: 64-bit integers that were written as
 * numbers beyond 2^53, which JSON.parse has rounded, and text after a duration. For JSON that it has decoded.
 */
export function alteredValues(message: DescMessage, json: JsonValue): FieldFault[] {
  const faults: FieldFault[] = [];
  walk(message, json, "", faults);
  return faults;
}

function walk(message: DescMessage, json: JsonValue, path: string, faults: FieldFault[]): void {
  const fields = watchedFields(message);
  if (fields.size === 0 || typeof json !== "object" || json === null) return;
  for (const [name, value] of Object.entries(json)) {
    const field = fields.get(name);
    if (field !== undefined && value !== null) checkField(field, value, join(path, field.name), faults);
  }
}

function checkField(field: DescField, value: JsonValue, path: string, faults: FieldFault[]): void {
  if (field.fieldKind !== "list" && field.fieldKind !== "map") {
    check(field, value, path, faults);
    return;
  }
  for (const [key, item] of Object.entries(value as object)) {
    check(field, item, `${path}[${field.fieldKind === "map" ? JSON.stringify(key) : key}]`, faults);
  }
}

function check(field: DescField, value: JsonValue, path: string, faults: FieldFault[]): void {
  if (field.message && !hasOwnJsonForm(field.message)) {
    walk(field.message, value, path, faults);
    return;
  }
  const altered =
    typeof value === "number"
      ? !Number.isSafeInteger(value)
      : field.message?.typeName === "google.protobuf.Duration" && !duration.test(String(value));
  if (altered) faults.push({ field: path, description: `must be ${valueExpectation(field)}` });
}

/** The fields, by both names, in which or beneath which such a value can be. */
function watchedFields(message: DescMessage): ReadonlyMap<string, DescField> {
  let fields = watched.get(message);
  if (fields === undefined) {
    fields = new Map([...fieldsByName(message)].filter(([, field]) => isWatched(field, new Set([message]))));
    watched.set(message, fields);
  }
  return fields;
}

function isWatched({ message, scalar }: DescField, seen: Set<DescMessage>): boolean {
  if (message === undefined) return longScalars.has(scalar);
  if (message.typeName === "google.protobuf.Duration") return true;
  const wrapped = wrappedField(message);
  if (wrapped) return longScalars.has(wrapped.scalar);
  if (hasOwnJsonForm(message)) return false;
  // A type inside of itself: what is in it is found where it was met first.
  if (seen.has(message)) return true;
  seen.add(message);
  return message.fields.some((field) => isWatched(field, seen));
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
