import type { DescField, DescMessage } from "@bufbuild/protobuf";

const names = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** The fields of a message by JSON name and by proto name. */
export function fieldsByName(message: DescMessage): ReadonlyMap<string, DescField> {
  let fields = names.get(message);
  if (fields === undefined) {
    const all = message.fields;
    fields = new Map([
      ...all.map((field) => [field.jsonName, field] as const),
      ...all.map((field) => [field.name, field] as const),
    ]);
    names.set(message, fields);
  }
  return fields;
}

/** The field of either name. */
export function findField(message: DescMessage, name: string): DescField | undefined {
  return fieldsByName(message).get(name);
}

/**
 * The fields along a dotted path; each name may be a JSON name or a proto name.
 * When it leads nowhere: how many of its names were understood.
 */
export function resolveFieldPath(message: DescMessage, path: string): { fields: DescField[] } | { known: number } {
  const fields: DescField[] = [];
  let current: DescMessage | undefined = message;
  for (const name of path.split(".")) {
    const field: DescField | undefined = current && findField(current, name);
    if (field === undefined) return { known: fields.length };
    fields.push(field);
    current = field.fieldKind === "message" ? field.message : undefined;
  }
  return { fields };
}

/** The path in proto names. */
export function protoPath(fields: readonly DescField[]): string {
  return fields.map((field) => field.name).join(".");
}

const textual = new Set(["google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"]);

/** Whether values of the message are written as one JSON text, number or boolean. */
export function isPlainText(message: DescMessage): boolean {
  return textual.has(message.typeName) || wrappedField(message) !== undefined;
}

/** The field that a wrapper such as google.protobuf.Int32Value wraps; undefined for other messages. */
export function wrappedField(message: DescMessage): DescField | undefined {
  return message.file.proto.name === "google/protobuf/wrappers.proto" ? message.fields[0] : undefined;
}

/** Whether the JSON form is not an object of the message's fields. */
export function hasOwnJsonForm(message: DescMessage): boolean {
  switch (message.typeName) {
    case "google.protobuf.Any":
    case "google.protobuf.Struct":
    case "google.protobuf.Value":
    case "google.protobuf.ListValue":
      return true;
    default:
      return isPlainText(message);
  }
}
