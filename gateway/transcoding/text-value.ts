import { type DescField, type DescMessage, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { protoCamelCase } from "@bufbuild/protobuf/reflect";
import { isPlainText, wrappedField } from "./field-path.ts";

const integer = /^-?\d+$/;
const decimal = /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/** What the value of a field must be, in words for the caller. */
export function expectation(field: DescField): string {
  return field.fieldKind === "map" ? "an object" : valueExpectation(field);
}

/** The same for one element of a list or map. */
export function valueExpectation(field: DescField): string {
  if (field.enum) return `one of ${field.enum.values.map((value) => value.name).join(", ")}`;
  if (field.message) return messageExpectation(field.message);
  return scalarExpectation(field.scalar as ScalarType);
}

function scalarExpectation(scalar: ScalarType): string {
  switch (scalar) {
    case ScalarType.BOOL:
      return "true or false";
    case ScalarType.STRING:
      return "a text";
    case ScalarType.BYTES:
      return "base64";
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return "a number";
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return "an integer from 0 to 4294967295";
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return "an integer from -2147483648 to 2147483647";
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return "an unsigned 64-bit integer, as a text when it is above 9007199254740991";
    default:
      return "a 64-bit integer, as a text when it is beyond ±9007199254740991";
  }
}

function messageExpectation(message: DescMessage): string {
  switch (message.typeName) {
    case "google.protobuf.Timestamp":
      return 'a time such as "2026-11-30T09:00:00Z"';
    case "google.protobuf.Duration":
      return 'a duration in seconds such as "1.5s"';
    case "google.protobuf.FieldMask":
      return 'field names between commas such as "title,due"';
    case "google.protobuf.ListValue":
      return "an array";
    default: {
      const wrapped = wrappedField(message);
      return wrapped ? expectation(wrapped) : "an object";
    }
  }
}

/** Whether one text can stand for one value of the field: scalars, enums, and messages that JSON writes as a text. */
export function takesText(field: DescField): boolean {
  return field.fieldKind !== "map" && (field.message === undefined || isPlainText(field.message));
}

/**
 * The JSON form of one text from a path or a query, for a field of which `takesText` holds.
 * Undefined: the text is no such value. Ranges are left to the decoder.
 */
export function textToJson(field: DescField, text: string): JsonValue | undefined {
  if (field.fieldKind === "map") return undefined;
  if (field.enum) return integer.test(text) ? Number(text) : text;
  if (field.message) return messageTextToJson(field.message, text);
  return scalarToJson(field.scalar as ScalarType, text);
}

function scalarToJson(scalar: ScalarType, text: string): JsonValue | undefined {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return text;
    case ScalarType.BOOL:
      return text === "true" ? true : text === "false" ? false : undefined;
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return decimal.test(text) || text === "NaN" || text === "Infinity" || text === "-Infinity" ? text : undefined;
    default:
      return integer.test(text) ? text : undefined;
  }
}

function messageTextToJson(message: DescMessage, text: string): JsonValue | undefined {
  const wrapped = wrappedField(message);
  if (wrapped) return textToJson(wrapped, text);
  if (message.typeName !== "google.protobuf.FieldMask") return text;
  // Proto names are as good as JSON names here; the decoder knows the latter.
  return text.includes("_") ? text.split(",").map(protoCamelCase).join(",") : text;
}
