import {
  create,
  type DescField,
  type DescMessage,
  type DescOneof,
  type Message,
  type ScalarType,
} from "@bufbuild/protobuf";
import { DurationSchema, FieldMaskSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { given, mustChoose, rulesOf } from "./rules.ts";
import type { Rules } from "./text.ts";
import { validEnum, validScalar } from "./value.ts";

/** A message as `create` takes it. */
export type Init = Record<string, unknown>;

const deepest = 4;
const made = new Map<string, fc.Arbitrary<Init>>();

/** Messages of a type that keep its rules. Fields that may be left out often are. */
export function validMessages(desc: DescMessage, depth = 0): fc.Arbitrary<Init> {
  const key = `${desc.typeName}/${depth}`;
  let values = made.get(key);
  if (values === undefined) {
    values = wellKnown(desc) ?? ordinary(desc, depth);
    made.set(key, values);
  }
  return values;
}

export function toMessage(desc: DescMessage, init: Init): Message {
  return create(desc, init as never);
}

function ordinary(desc: DescMessage, depth: number): fc.Arbitrary<Init> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const member of desc.members) {
    const values = member.kind === "oneof" ? choiceOf(member, depth) : fieldValues(member, depth);
    if (values !== undefined) members[member.localName] = values;
  }
  return fc.record(members).map((init) => Object.fromEntries(Object.entries(init).filter(([, v]) => v !== undefined)));
}

function choiceOf(oneof: DescOneof, depth: number): fc.Arbitrary<unknown> | undefined {
  const cases = oneof.fields.flatMap((field) => {
    const values = presentValues(field, depth);
    return values === undefined ? [] : [values.map((value) => ({ case: field.localName, value }))];
  });
  if (cases.length === 0) return undefined;
  const some = fc.oneof(...cases);
  return mustChoose(oneof) ? some : fc.oneof(some, fc.constant(undefined));
}

/** Values of a field, "not given" among them unless it must be. */
function fieldValues(field: DescField, depth: number): fc.Arbitrary<unknown> | undefined {
  const values = presentValues(field, depth);
  const rules = rulesOf(field);
  if (values === undefined || rules?.required || !mayBeLeftOut(field)) return values;
  // A request without its first fields is seldom one that gets far.
  return fc.oneof({ weight: depth === 0 ? 3 : 1, arbitrary: values }, { weight: 1, arbitrary: fc.constant(undefined) });
}

function mayBeLeftOut(field: DescField): boolean {
  const rules = given(given(rulesOf(field)).string as object | undefined);
  return !(rules.uuid || rules.email || rules.minLen) || given(rulesOf(field)).ignore !== undefined;
}

/** Values of a field that is given. Undefined where it is too deep inside, or of a type without values of its own. */
export function presentValues(field: DescField, depth: number): fc.Arbitrary<unknown> | undefined {
  const rules = given(rulesOf(field));
  if (field.fieldKind === "list") {
    const own = given(rules.repeated as object | undefined);
    const items = singleValues(field, given(own.items as object | undefined), depth);
    return items && listOf(items, own);
  }
  if (field.fieldKind === "map") {
    const own = given(rules.map as object | undefined);
    const values = singleValues(field, given(own.values as object | undefined), depth);
    const keys = validScalar(field, field.mapKey, given(given(own.keys as object | undefined).string as object));
    return values && fc.dictionary(keys.map(String), values, { ...sizes(own, "Pairs"), noNullPrototype: true });
  }
  return singleValues(field, rules, depth);
}

function listOf(items: fc.Arbitrary<unknown>, rules: Rules): fc.Arbitrary<unknown[]> {
  const { minLength, maxLength } = sizes(rules, "Items");
  const most = Math.min(maxLength, Math.max(minLength, 3));
  if (rules.unique) return fc.uniqueArray(items, { minLength, maxLength: most });
  return fc.array(items, { minLength, maxLength: most });
}

function sizes(
  rules: Rules,
  unit: "Items" | "Pairs",
): { minKeys: number; maxKeys: number; minLength: number; maxLength: number } {
  const least = Number(rules[`min${unit}`] ?? 0);
  const most = Number(rules[`max${unit}`] ?? least + 3);
  return { minKeys: least, maxKeys: Math.min(most, least + 3), minLength: least, maxLength: most };
}

function singleValues(field: DescField, rules: Rules, depth: number): fc.Arbitrary<unknown> | undefined {
  if (field.enum) return validEnum(field.enum, given(rules.enum as object | undefined));
  if (field.scalar !== undefined) return validScalar(field, field.scalar, typeRules(rules));
  const { message } = field;
  if (message === undefined || depth >= deepest) return undefined;
  if (message.typeName === "google.protobuf.Any" || message.typeName === "google.protobuf.Value") return undefined;
  if (message.typeName === "google.protobuf.Struct")
    return fc.dictionary(fc.string(), fc.constantFrom(1, "a", null, true));
  if (message.typeName === "google.protobuf.FieldMask") return maskOf(field);
  const wrapped = wrappedScalar(message);
  if (wrapped !== undefined) return validScalar(field, wrapped, typeRules(rules));
  return validMessages(message, depth + 1);
}

/** A rule set knows one type: `{ string: { minLen } }`. */
export function typeRules(rules: Rules): Rules {
  const typed = Object.entries(rules).find(([name, value]) => typeof value === "object" && !notTypes.has(name));
  return given(typed?.[1] as object | undefined);
}

const notTypes = new Set(["cel", "celExpression", "repeated", "map", "enum", "predefined"]);

function wrappedScalar({ typeName, fields }: DescMessage): ScalarType | undefined {
  return /^google\.protobuf\.\w+Value$/.test(typeName) ? fields[0]?.scalar : undefined;
}

/** Fields of the message that stands beside the mask: those that the call would change. */
function maskOf(field: DescField): fc.Arbitrary<Init> {
  const target = field.parent.fields.find(
    ({ fieldKind, message }) => fieldKind === "message" && message !== field.message,
  );
  const names = target?.message?.fields.map(({ name }) => name) ?? [];
  const some = fc.subarray(names, { maxLength: 4 });
  const odd = fc.constantFrom(["no_such_field"], [names[0] ?? "a", "b.c"], [], ["title", "title"]);
  return fc.oneof({ weight: 8, arbitrary: some }, { weight: 1, arbitrary: odd }).map((paths) => ({ paths }));
}

function wellKnown({ typeName }: DescMessage): fc.Arbitrary<Init> | undefined {
  if (typeName === TimestampSchema.typeName) {
    const seconds = fc.oneof(
      fc.constantFrom(0n, -62_135_596_800n, 253_402_300_799n, -1n),
      fc.bigInt({ min: 1_500_000_000n, max: 2_500_000_000n }),
    );
    return fc.record({ seconds, nanos: fc.constantFrom(0, 1, 999_999_999, 5_000_000) });
  }
  if (typeName === DurationSchema.typeName) {
    const seconds = fc.oneof(fc.constantFrom(0n, 315_576_000_000n), fc.bigInt({ min: 0n, max: 100_000n }));
    return seconds.map((value) => ({ seconds: value, nanos: 0 }));
  }
  if (typeName === FieldMaskSchema.typeName) return fc.constant({ paths: [] });
  return undefined;
}
