import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { type FieldViolation, internal, invalidFields } from "../errors.ts";

const patterns = new Map<string, RegExp>();
// Patterns come from our protos only, and the engine of Node matches them ten times as fast as RE2 in JavaScript.
const validator = createValidator({
  regexMatch: (pattern, text) => {
    const compiled = patterns.get(pattern) ?? new RegExp(pattern, "u");
    patterns.set(pattern, compiled);
    return compiled.test(text);
  },
});

/** Throws INVALID_ARGUMENT with every field that breaks a rule of its proto (buf.validate), in proto names. */
export function mustBeValid(desc: DescMessage, message: Message): void {
  const violations = violationsOf(desc, message);
  if (violations.length > 0) throw invalidFields(violations);
}

/** Builds the rules of a message ahead of the first call. Throws when a rule in the proto is wrong. */
export function prepareValidation(desc: DescMessage): void {
  violationsOf(desc, create(desc));
}

function violationsOf(desc: DescMessage, message: Message): FieldViolation[] {
  const result = validator.validate(desc, message);
  if (result.kind === "valid") return [];
  if (result.kind === "error") throw internal(result.error);
  return result.violations.map(({ field, message: description }) => ({ field: pathToString(field), description }));
}
