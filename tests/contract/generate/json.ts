import { type DescField, type DescMessage, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";

/** What is done to the JSON of a message, so that it has to be refused. */
export interface JsonFault {
  name: string;
  /** The field that is given a wrong value, from the outermost; none when the text as such is malformed. */
  path?: DescField[];
  /** What it is given. `undefined` in `path`'s place: an unknown field of this name. */
  value?: JsonValue;
  unknownName?: string;
  /** The text instead of the good one. */
  text?(good: Buffer): Buffer;
}

const deepest = 3;

/** Faults that every JSON parser of the type must find. `fixed` are fields that REST has in its path. */
export function jsonFaults(desc: DescMessage, fixed: readonly DescField[]): fc.Arbitrary<JsonFault> {
  const open = slots(desc, []).filter((path) => !fixed.includes(path.at(-1) as DescField));
  const structural = open.map((path) => wrongValues(path));
  const unknown = fc
    .constantFrom("zzUnknown", "constructor", "__proto__x", "titel\u0000")
    .map((unknownName): JsonFault => ({ name: "unknown field", unknownName, value: 1 }));
  return fc.oneof(
    ...(structural.length > 0 ? [{ weight: 5, arbitrary: fc.oneof(...structural) }] : []),
    { weight: 2, arbitrary: unknown },
    { weight: 4, arbitrary: fc.constantFrom(...textFaults) },
  );
}

/** Every field within reach, by its path. */
function slots(desc: DescMessage, above: DescField[]): DescField[][] {
  return desc.fields.flatMap((field) => {
    const path = [...above, field];
    const isDeeper = field.fieldKind === "message" && !hasOwnForm(field.message) && path.length < deepest;
    return isDeeper ? [path, ...slots(field.message, path)] : [path];
  });
}

function hasOwnForm({ typeName }: DescMessage): boolean {
  return typeName.startsWith("google.protobuf.");
}

function wrongValues(path: DescField[]): fc.Arbitrary<JsonFault> {
  const field = path.at(-1) as DescField;
  return fc.constantFrom(...wrongFor(field)).map((value) => ({ name: `wrong ${kindOf(field)}`, path, value }));
}

function kindOf({ fieldKind, scalar, message }: DescField): string {
  return fieldKind === "scalar" ? (ScalarType[scalar as ScalarType] ?? "scalar") : (message?.typeName ?? fieldKind);
}

function wrongFor(field: DescField): [JsonValue, ...JsonValue[]] {
  if (field.fieldKind === "list") return ["x", {}, 1, [null], [[]]];
  if (field.fieldKind === "map") return ["x", [], 1];
  if (field.enum) return ["NO_SUCH_VALUE", true, [], 1.5, {}];
  if (field.message) return wrongMessages(field.message);
  switch (field.scalar) {
    case ScalarType.STRING:
      return [1, true, {}, [], ["x"]];
    case ScalarType.BOOL:
      return ["true", 1, {}, []];
    case ScalarType.BYTES:
      return ["***", 1, {}, []];
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return ["x", true, {}, []];
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return ["x", true, {}, 1.5, "18446744073709551616", 9_007_199_254_740_994];
    default:
      return ["x", true, {}, [], 1.5, 4_294_967_296, -2_147_483_649, "1e99"];
  }
}

function wrongMessages({ typeName }: DescMessage): [JsonValue, ...JsonValue[]] {
  if (typeName === "google.protobuf.Timestamp") return ["soon", 1, {}, "2026-13-01T00:00:00Z", "2026-01-01"];
  if (typeName === "google.protobuf.Duration") return ["1", 1, "1m", {}];
  if (typeName === "google.protobuf.FieldMask") return [1, {}, ["title"], "under_score"];
  return ["x", 1, true, []];
}

const unpaired = Buffer.from('"\\ud800":1,');

/** Text that is no JSON, or JSON that is no message. All of them keep the beginning `{` of an object where they can. */
const textFaults: [JsonFault, ...JsonFault[]] = [
  text("truncated", (good) => good.subarray(0, Math.max(1, good.length - 1))),
  text("half", (good) => good.subarray(0, Math.max(1, good.length >> 1))),
  text("something behind", (good) => Buffer.concat([good, Buffer.from("]")])),
  text("two values", (good) => Buffer.concat([good, good])),
  text("bad UTF-8", (good) => opened(good, Buffer.from([0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x2c]))),
  text("unpaired surrogate", (good) => opened(good, unpaired)),
  text("comment", (good) => opened(good, Buffer.from("/* */"))),
  text("single quotes", () => Buffer.from("{'a':1}")),
  text("array", () => Buffer.from("[]")),
  text("number", () => Buffer.from("7")),
  text("string", () => Buffer.from('"{}"')),
  text("bare word", () => Buffer.from("NaN")),
  text("byte order mark and nothing", () => Buffer.from("\ufeff")),
  text("deep arrays", () => Buffer.from(`{"a":${"[".repeat(2000)}${"]".repeat(2000)}}`)),
  text("deep objects", () => Buffer.from(`${'{"a":'.repeat(3000)}1${"}".repeat(3000)}`)),
  text("duplicate key", (good) => opened(good, Buffer.from('"zz":1,"zz":2,'))),
];

function text(name: string, change: (good: Buffer) => Buffer): JsonFault {
  return { name, text: change };
}

/** With something put in as the first member of the object. */
function opened(good: Buffer, first: Buffer): Buffer {
  const rest = good.subarray(1);
  const isEmpty = rest.toString().trim() === "}";
  return Buffer.concat([Buffer.from("{"), isEmpty && first.at(-1) === 0x2c ? first.subarray(0, -1) : first, rest]);
}

/** The JSON of a message with the fault in it. */
export function withFault(good: JsonObject, fault: JsonFault): Buffer {
  if (fault.text) return fault.text(Buffer.from(JSON.stringify(good)));
  const tree = structuredClone(good);
  if (fault.unknownName !== undefined) tree[fault.unknownName] = fault.value as JsonValue;
  if (fault.path) place(tree, fault.path, fault.value as JsonValue);
  return Buffer.from(JSON.stringify(tree));
}

function place(tree: JsonObject, path: readonly DescField[], value: JsonValue): void {
  let owner = tree;
  for (const field of path.slice(0, -1)) {
    const name = field.name in owner ? field.name : field.jsonName;
    const inner = owner[name];
    const next = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? inner : {};
    owner[name] = next;
    owner = next as JsonObject;
  }
  const leaf = path.at(-1) as DescField;
  delete owner[leaf.name];
  owner[leaf.jsonName] = value;
}
