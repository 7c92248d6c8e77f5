import type { DescField, DescMessage, JsonValue, Message } from "@bufbuild/protobuf";
import { isHanded } from "./generate/text.ts";

/** Puts a name that is the same for everybody in the place of what only one person has. */
export interface Names {
  /** For an id, an etag or a token as a whole. */
  symbol(value: string): string;
  /** For what stands somewhere in a text. */
  text(value: string): string;
}

/** A message without what must differ from person to person and from call to call: ids, tokens, times. */
export function normalForm(desc: DescMessage, message: Message, names: Names): JsonValue {
  const values = message as Message & Record<string, unknown>;
  const form: Record<string, JsonValue> = {};
  for (const field of desc.fields) {
    const choice = field.oneof && (values[field.oneof.localName] as { case?: string; value?: unknown });
    const value = choice ? (choice.case === field.localName ? choice.value : undefined) : values[field.localName];
    if (value !== undefined) form[field.name] = formOf(field, value, names);
  }
  return form;
}

function formOf(field: DescField, value: unknown, names: Names): JsonValue {
  if (field.fieldKind === "list") return (value as unknown[]).map((item) => singleForm(field, item, names));
  if (field.fieldKind !== "map") return singleForm(field, value, names);
  const entries = Object.entries(value as Record<string, unknown>);
  return Object.fromEntries(entries.map(([key, item]) => [names.text(key), singleForm(field, item, names)]));
}

function singleForm(field: DescField, value: unknown, names: Names): JsonValue {
  if (typeof value === "string") return isHanded(field) && value !== "" ? names.symbol(value) : names.text(value);
  if (typeof value === "bigint") return `${value}`;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value !== "object" || field.message === undefined) return value as JsonValue;
  if (field.message.typeName === "google.protobuf.Timestamp") return "a time";
  return normalForm(field.message, value as Message, names);
}

/** Calls back with every id, etag and token of a message, and the name of its field in the singular. */
export function eachHanded(desc: DescMessage, message: Message, found: (name: string, value: string) => void): void {
  const values = message as Message & Record<string, unknown>;
  for (const field of desc.fields) {
    const value = values[field.localName];
    for (const item of field.fieldKind === "list" ? (value as unknown[]) : [value]) {
      if (typeof item === "string" && isHanded(field) && item !== "") found(field.name.replace(/s$/, ""), item);
      else if (field.message && field.fieldKind !== "map" && typeof item === "object" && item !== null) {
        eachHanded(field.message, item as Message, found);
      }
    }
  }
}
