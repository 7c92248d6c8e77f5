export interface ProfileFields {
  displayName: string;
  locale: string;
  timeZone: string;
}

/** A field's name in the proto, by its name here; these are the ones that a person may change. */
export const protoNames = {
  displayName: "display_name",
  locale: "locale",
  timeZone: "time_zone",
} as const satisfies Record<keyof ProfileFields, string>;

export type ProfileField = keyof ProfileFields;

const fields = Object.keys(protoNames) as ProfileField[];
const maxNameLength = 100;

/** A value that a field cannot have; `field` is the name in the proto. */
export class ProfileValueError extends Error {
  override readonly name = "ProfileValueError";
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** What a new profile begins with, and what a field is reset to. */
export function defaultsFor(email: string): ProfileFields {
  const local = email.slice(0, email.lastIndexOf("@"));
  return { displayName: [...local].slice(0, maxNameLength).join(""), locale: "en", timeZone: "UTC" };
}

/** The fields that a mask names. A path that is unknown or cannot be changed is a fault and is answered as such. */
export function fieldsOfMask(paths: readonly string[]): { named: ProfileField[]; wrong: string[] } {
  if (paths.includes("*")) return { named: fields, wrong: paths.filter((path) => path !== "*") };
  const named = fields.filter((field) => paths.includes(protoNames[field]));
  const known: string[] = [...Object.values(protoNames), "etag"];
  return { named, wrong: paths.filter((path) => !known.includes(path)) };
}

export interface Change {
  /** The fields that the mask names; undefined when there is no mask: then those that are given. */
  named: ProfileField[] | undefined;
  given: ProfileFields;
}

/**
 * The values that really change. A field that is named and not given goes back to its default.
 * Throws a ProfileValueError for a value that cannot be.
 */
export function changedFields(
  current: ProfileFields,
  { named, given }: Change,
  defaults: ProfileFields,
): Partial<ProfileFields> {
  const touched = named ?? fields.filter((field) => given[field] !== "");
  const wanted = touched.map((field) => [field, normalize(field, given[field]) || defaults[field]] as const);
  return Object.fromEntries(wanted.filter(([field, value]) => value !== current[field]));
}

function normalize(field: ProfileField, value: string): string {
  if (value === "") return "";
  if (field === "displayName") return displayName(value);
  return field === "locale" ? locale(value) : timeZone(value);
}

function displayName(value: string): string {
  const trimmed = value.trim();
  if (trimmed === "") throw new ProfileValueError(protoNames.displayName, "must not be blank");
  return trimmed;
}

function locale(value: string): string {
  try {
    return new Intl.Locale(value).toString();
  } catch {
    throw new ProfileValueError(protoNames.locale, "must be a BCP 47 language tag, such as de-CH");
  }
}

/** Keeps the name that was asked for, in the zone's own spelling: an alias such as Asia/Kolkata is as good as any. */
function timeZone(value: string): string {
  try {
    if (!/^[A-Za-z]/.test(value)) throw new RangeError("an offset is no zone");
    const { timeZone: known } = new Intl.DateTimeFormat("en", { timeZone: value }).resolvedOptions();
    return known.toLowerCase() === value.toLowerCase() ? known : value;
  } catch {
    throw new ProfileValueError(protoNames.timeZone, "must be an IANA time zone, such as Europe/Berlin");
  }
}
