import { type DescField, type DescMessage, type DescOneof, getOption, hasOption } from "@bufbuild/protobuf";
import {
  type FieldRules,
  field as fieldRules,
  Ignore,
  message as messageRules,
  oneof as oneofRules,
} from "#gen/buf/validate/validate_pb.js";

/** The rules of buf.validate for a field; undefined when it has none that are looked at. */
export function rulesOf(field: DescField): FieldRules | undefined {
  if (!hasOption(field, fieldRules)) return undefined;
  const rules = getOption(field, fieldRules);
  return rules.ignore === Ignore.ALWAYS ? undefined : rules;
}

/** Whether one of the oneof's fields must be given. */
export function mustChoose(oneof: DescOneof): boolean {
  return hasOption(oneof, oneofRules) && getOption(oneof, oneofRules).required === true;
}

/** Whether a message is judged as a whole, by an expression. */
export function hasExpressions(message: DescMessage): boolean {
  return hasOption(message, messageRules) && getOption(message, messageRules).cel.length > 0;
}

/** The rules as a plain record of those that are given, by their names in TypeScript: `{ minLen: 1n }`. */
export function given(rules: object | undefined): Record<string, unknown> {
  const own = Object.entries(rules ?? {}).filter(([name]) => name !== "$typeName" && name !== "$unknown");
  const flat = own.flatMap(([name, value]): [string, unknown][] => {
    const choice = value as { case?: string; value?: unknown } | undefined;
    if (typeof choice !== "object" || choice === null || !("case" in choice)) return [[name, value]];
    return choice.case === undefined ? [] : [[choice.case, choice.value]];
  });
  return Object.fromEntries(
    flat.filter(([, value]) => value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)),
  );
}
