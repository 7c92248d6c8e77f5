import { type DescEnum, type DescField, getOption, hasOption } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence as Presence } from "@bufbuild/protobuf/wkt";
import { FieldBehavior, field_behavior } from "#gen/google/api/field_behavior_pb.js";
import { constraintsOf, fits, type Rules, rulesOf } from "./rules.ts";
import { zeroOf } from "./value-schema.ts";

/** Without presence: zero and not given are the same. */
export function isPlain(field: DescField): boolean {
  return field.presence === Presence.IMPLICIT;
}

/** Whether a request is refused without the field: left out, it would be what the rules do not allow. */
export function isDemanded(field: DescField): boolean {
  const rules = rulesOf(field);
  if (rules.required === true || behaviorsOf(field).includes(FieldBehavior.REQUIRED)) return true;
  if (!isPlain(field) || rules.ignore !== undefined) return false;
  if (field.fieldKind === "list") return Number(rules.repeated?.minItems ?? 0) > 0;
  if (field.fieldKind === "map") return Number(rules.map?.minPairs ?? 0) > 0;
  if (field.enum) return !namesAllowed(field.enum, rules).includes(field.enum.values[0]?.name ?? "");
  const zero = zeroOf(field);
  return zero !== undefined && !constraintsOf(rules).keywords.every((keyword) => fits(keyword, zero));
}

/** The values of an enum that the rules leave. */
export function namesAllowed(desc: DescEnum, { enum: rules = {} }: Rules): string[] {
  const { const: only, in: some, notIn: none = [] } = rules;
  const allowed = desc.values.filter(
    ({ number }) => (only ?? number) === number && (some?.includes(number) ?? true) && !none.includes(number),
  );
  return allowed.map(({ name }) => name);
}

/** What google.api.field_behavior says of a field. */
export function behaviorsOf(field: DescField): readonly FieldBehavior[] {
  return hasOption(field, field_behavior) ? getOption(field, field_behavior) : [];
}
