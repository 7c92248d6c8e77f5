import { invalidArgument } from "#kit/errors.ts";

/** What names of labels are compared by. */
export function labelKey(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

/** The name without blanks around it. Throws INVALID_ARGUMENT when nothing is left. */
export function toLabelName(name: string): string {
  const trimmed = name.trim();
  if (trimmed === "") throw invalidArgument("name", "a label needs a name");
  return trimmed;
}
