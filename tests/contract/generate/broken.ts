import type { DescField, DescMessage } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type Init, presentValues, typeRules, validMessages } from "./message.ts";
import { given, mustChoose, rulesOf } from "./rules.ts";
import { brokenEnums, brokenScalars } from "./value.ts";

/** One way to break a message: at a place, by values, against a rule. */
export interface Breakage {
  /** The rule and its place: "task.title: tooLong". */
  name: string;
  /** The same message with this one fault. */
  apply(init: Init, value: unknown): Init;
  values: fc.Arbitrary<unknown>;
}

const deepest = 3;

/** Every way to break a rule of the message or of one inside of it, each by one fault. */
export function breakagesOf(desc: DescMessage, depth = 0): Breakage[] {
  const own = desc.members.flatMap((member) => {
    if (member.kind === "field") return fieldBreakages(member, depth);
    const inner = member.fields.flatMap((field) =>
      fieldBreakages(field, depth).map((breakage) => asChoice(breakage, field)),
    );
    if (!mustChoose(member)) return inner;
    return [
      ...inner,
      { name: `${member.name}: required`, values: fc.constant(undefined), apply: without(member.localName) },
    ];
  });
  return own;
}

function fieldBreakages(field: DescField, depth: number): Breakage[] {
  const rules = given(rulesOf(field));
  const { localName } = field;
  const found: Breakage[] = [];
  const add = (rule: string, values: fc.Arbitrary<unknown>) => {
    found.push({ name: `${field.name}: ${rule}`, values, apply: (init, value) => ({ ...init, [localName]: value }) });
  };
  if (rules.required)
    found.push({ name: `${field.name}: required`, values: fc.constant(undefined), apply: without(localName) });
  if (field.fieldKind === "list") {
    for (const [rule, values] of Object.entries(brokenLists(field, given(rules.repeated as object | undefined))))
      add(rule, values);
  } else if (field.fieldKind === "scalar") {
    for (const [rule, values] of Object.entries(brokenScalars(field.scalar, typeRules(rules)))) add(rule, values);
  } else if (field.fieldKind === "enum") {
    const broken = brokenEnums(field.enum, given(rules.enum as object | undefined));
    for (const [rule, values] of Object.entries(broken)) add(rule, values);
  } else if (field.fieldKind === "map") {
    for (const [rule, values] of Object.entries(brokenMaps(field, given(rules.map as object | undefined))))
      add(rule, values);
  }
  if (field.message && field.fieldKind !== "map" && depth < deepest) found.push(...inside(field, field.message, depth));
  return found;
}

function brokenLists(
  field: DescField & { fieldKind: "list" },
  rules: Record<string, unknown>,
): Record<string, fc.Arbitrary<unknown>> {
  const broken: Record<string, fc.Arbitrary<unknown>> = {};
  const lists = presentValues(field, 0) as fc.Arbitrary<unknown[]> | undefined;
  if (lists === undefined) return broken;
  const least = Number(rules.minItems ?? 0);
  if (least > 0) broken.tooFew = lists.map((items) => items.slice(0, least - 1));
  if (rules.maxItems !== undefined && field.scalar !== undefined) {
    const count = Number(rules.maxItems) + 1;
    broken.tooMany = fc.constant(count).map((length) => Array.from({ length }, (_, index) => distinct(index)));
  }
  if (rules.unique) broken.unique = lists.filter((items) => items.length > 0).map((items) => [...items, items[0]]);
  const items = given(rules.items as object | undefined);
  const ofItems = field.enum
    ? brokenEnums(field.enum, given(items.enum as object | undefined))
    : field.scalar === undefined
      ? {}
      : brokenScalars(field.scalar, typeRules(items));
  for (const [rule, values] of Object.entries(ofItems)) {
    broken[`items ${rule}`] = fc.tuple(lists, values).map(([list, item]) => [...list.slice(0, 2), item]);
  }
  return broken;
}

function distinct(index: number): string {
  return `00000000-0000-7000-8000-${String(index).padStart(12, "0")}`;
}

function brokenMaps(field: DescField, rules: Record<string, unknown>): Record<string, fc.Arbitrary<unknown>> {
  const maps = presentValues(field, 0) as fc.Arbitrary<Record<string, unknown>> | undefined;
  if (maps === undefined || Number(rules.minPairs ?? 0) === 0) return {};
  return { tooFew: fc.constant({}) };
}

/** The faults of a message inside of a field, which is made around them. */
function inside(field: DescField, message: DescMessage, depth: number): Breakage[] {
  const whole = validMessages(message, depth + 1);
  return breakagesOf(message, depth + 1).map(({ name, apply, values }) => ({
    name: `${field.name}.${name}`,
    values: fc.tuple(whole, values),
    apply: (init, drawn) => {
      const [fresh, value] = drawn as [Init, unknown];
      const given = init[field.localName];
      if (field.fieldKind === "list") return { ...init, [field.localName]: [apply(fresh, value)] };
      return { ...init, [field.localName]: apply((given as Init | undefined) ?? fresh, value) };
    },
  }));
}

function asChoice({ name, values, apply }: Breakage, { localName, oneof }: DescField): Breakage {
  const place = oneof?.localName ?? localName;
  return {
    name,
    values,
    apply: (init, value) => ({ ...init, [place]: { case: localName, value: apply({}, value)[localName] } }),
  };
}

function without(name: string): Breakage["apply"] {
  return (init) => Object.fromEntries(Object.entries(init).filter(([key]) => key !== name));
}
