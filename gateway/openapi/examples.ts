import type { DescEnum, DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { commentOf, quotedIn } from "./comments.ts";
import { isPlain, namesAllowed } from "./presence.ts";
import { declaredExamples, type Rules, rulesOf } from "./rules.ts";
import { samples } from "./samples.ts";
import { zeroOf } from "./value-schema.ts";

const someId = "01932f4e-5c00-7000-8000-3f6a1c2b4d5e";
const someTexts: Record<string, string> = {
  "google.protobuf.Timestamp": "2026-11-23T09:00:00Z",
  "google.protobuf.Duration": "3600s",
};

/** What is shown: a component by its name, and which fields it never lacks. */
export interface Shown {
  message: DescMessage;
  component: string;
  required: ReadonlySet<DescField>;
  isAnswer: boolean;
}

/** What the rules of a field give as examples, or its comment in quotation marks. */
export function examplesOf(field: DescField): JsonValue[] {
  const declared = declaredExamples(rulesOf(field));
  if (declared.length > 0 || field.fieldKind !== "scalar" || zeroOf(field) !== "") return declared;
  return quotedIn(commentOf(field) ?? "").slice(0, 1);
}

/** An example of a message, in JSON. `inner` shows the messages within it. */
export function exampleOf(shown: Shown, inner: (message: DescMessage) => JsonObject | undefined): JsonObject {
  const { message, component, required, isAnswer } = shown;
  const sample = samples[component];
  if (sample !== undefined && !isAnswer) return sample;
  // A message has one field of a oneof at most: the first stands for all of them.
  const fields = message.fields.filter((field) => field.oneof === undefined || field.oneof.fields[0] === field);
  const entries = fields.map((field): [string, JsonValue | undefined] => {
    if (sample !== undefined) return [field.jsonName, sampled(field, sample[field.jsonName], inner)];
    const isShown = isAnswer || required.has(field) || examplesOf(field).length > 0;
    return [field.jsonName, isShown ? shownValue(field, inner) : undefined];
  });
  return Object.fromEntries(entries.filter((entry): entry is [string, JsonValue] => entry[1] !== undefined));
}

/** A value of a sample: what it does not say of a message within, the example of that one does. */
function sampled(
  field: DescField,
  value: JsonValue | undefined,
  inner: (message: DescMessage) => JsonObject | undefined,
): JsonValue | undefined {
  if (value === undefined) return plainZero(field);
  return field.fieldKind === "message" && isObject(value) ? { ...inner(field.message), ...value } : value;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shownValue(field: DescField, inner: (message: DescMessage) => JsonObject | undefined): JsonValue | undefined {
  const [example] = examplesOf(field);
  if (example !== undefined) return example;
  if (field.fieldKind === "map") return {};
  if (field.message) {
    const value = someTexts[field.message.typeName] ?? inner(field.message);
    return field.fieldKind !== "list" ? value : value === undefined ? [] : [value];
  }
  if (field.enum) return field.fieldKind === "list" ? [] : enumOf(field.enum, rulesOf(field));
  const value = isId(field) ? someId : plainZero(field);
  return field.fieldKind === "list" && value === someId ? [someId] : value;
}

function isId(field: DescField): boolean {
  const rules = rulesOf(field);
  const { uuid } = ((rules.repeated?.items ?? rules).string ?? {}) as { uuid?: boolean };
  return uuid === true || /^UUID/.test(commentOf(field) ?? "");
}

/** The first value that says something. */
function enumOf(desc: DescEnum, rules: Rules): string | undefined {
  const names = namesAllowed(desc, rules);
  return names.find((name) => name !== desc.values[0]?.name) ?? names[0];
}

/** What an answer says of a field that was not given; undefined when it says nothing. */
function plainZero(field: DescField): JsonValue | undefined {
  if (!isPlain(field)) return undefined;
  if (field.fieldKind === "list") return [];
  if (field.fieldKind === "map") return {};
  return field.fieldKind === "enum" ? field.enum.values[0]?.name : zeroOf(field);
}
