import {
  create,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import type { Binding } from "./binding.ts";
import { decodeJson } from "./decode-json.ts";
import { type FieldFault, TranscodingError } from "./errors.ts";
import { clipName } from "./explain.ts";
import { findField, protoPath, resolveFieldPath } from "./field-path.ts";
import { parseJsonBody } from "./json-body.ts";
import { decodePercent, decodePercentExceptSlash, parseQuery } from "./query-string.ts";
import { expectation, takesText, textToJson } from "./text-value.ts";

/** What is deeper the decoder refuses. */
const deepest = 100;

/** What an HTTP request gives to a message. */
export interface RestRequest {
  /** Of the path, as the route tree answered them. */
  segments: readonly string[];
  /** Without the "?". */
  query: string;
  body: Uint8Array | undefined;
}

/** What a request is gathered in: the JSON form of its message, and what is wrong with it so far. */
interface Draft {
  binding: Binding;
  tree: JsonObject;
  faults: FieldFault[];
}

/** The request message of an HTTP request. Throws TranscodingError that names every fault. */
export function decodeRequest(binding: Binding, request: RestRequest): Message {
  const body = request.body?.length ? readBody(binding, request.body) : undefined;
  const draft: Draft = { binding, tree: bodyTree(binding, body), faults: [] };
  const patch = binding.updateMask && isObject(body) ? namesIn(body) : undefined;
  for (const path of binding.path) bindPath(draft, path, request.segments);
  if (request.query !== "") bindQuery(draft, request.query);
  if (draft.faults.length > 0) throw TranscodingError.fields(draft.faults);
  const message = decodeJson(binding.method.input, draft.tree);
  if (patch) fillUpdateMask(binding, message, patch);
  return message;
}

function readBody({ body, method }: Binding, bytes: Uint8Array): JsonValue {
  if (body === undefined) throw TranscodingError.field("", "the request takes no body");
  if (body === "*") return parseJsonBody(bytes, { message: method.input, prefix: "" });
  return parseJsonBody(bytes, { message: body.message, prefix: body.name });
}

function bodyTree({ body }: Binding, json: JsonValue | undefined): JsonObject {
  if (json === undefined || body === undefined) return {};
  if (body !== "*") {
    if (json === null && body.fieldKind === "message") throw TranscodingError.field(body.name, "must be an object");
    return { [body.jsonName]: json };
  }
  if (!isObject(json)) throw TranscodingError.field("", "must be an object");
  return json;
}

function bindPath({ tree, faults }: Draft, path: Binding["path"][number], segments: readonly string[]): void {
  const raw = segments.slice(path.start, path.end);
  const text = path.multiple ? decodePercentExceptSlash(raw.join("/")) : decodePercent(raw[0] ?? "");
  const field = protoPath(path.fields);
  if (text === undefined) return void faults.push({ field, description: "must be percent-encoded UTF-8" });
  if (text.split("/").some((segment) => segment === "." || segment === "..")) {
    return void faults.push({ field, description: "must not be a dot segment" });
  }
  const leaf = path.fields.at(-1) as DescField;
  const value = textToJson(leaf, text);
  if (value === undefined) return void faults.push({ field, description: `must be ${expectation(leaf)}` });
  const owner = ownerOf(tree, path.fields);
  if (owner === undefined) return;
  const given = take(owner, leaf);
  if (given !== undefined && given !== null && (typeof given === "object" || String(given) !== text)) {
    faults.push({ field, description: "must be left out or the same as in the path" });
  }
  owner[leaf.jsonName] = value;
}

function bindQuery(draft: Draft, query: string): void {
  for (const [name, text] of parseQuery(query)) {
    const resolved = resolveFieldPath(draft.binding.method.input, name);
    if ("known" in resolved) draft.faults.push({ field: clipName(name), description: "is not a known field" });
    else {
      const description = bindParameter(draft, resolved.fields, text);
      if (description) draft.faults.push({ field: protoPath(resolved.fields), description });
    }
  }
}

/** Says what is wrong with the parameter, if anything. */
function bindParameter({ binding, tree }: Draft, fields: DescField[], text: string): string | undefined {
  if (binding.body === "*" || binding.body === fields[0]) return "belongs into the body";
  const field = fields.at(-1) as DescField;
  if (binding.path.some((path) => path.fields.length === fields.length && path.fields.at(-1) === field)) {
    return "is given by the path";
  }
  if (!takesText(field)) return "cannot be a query parameter";
  const value = textToJson(field, text);
  if (value === undefined) return `must be ${expectation(field)}`;
  const owner = ownerOf(tree, fields);
  const given = owner?.[field.jsonName];
  if (owner === undefined || (given !== undefined && field.fieldKind !== "list")) return "is given more than once";
  if (field.fieldKind !== "list") owner[field.jsonName] = value;
  else if (Array.isArray(given)) given.push(value);
  else owner[field.jsonName] = [value];
  return undefined;
}

/** The object that holds the last of the fields; made on the way. Undefined when something else is in its place. */
function ownerOf(tree: JsonObject, fields: readonly DescField[]): JsonObject | undefined {
  let owner = tree;
  for (const field of fields.slice(0, -1)) {
    const child = take(owner, field) ?? {};
    owner[field.jsonName] = child;
    if (!isObject(child)) return undefined;
    owner = child;
  }
  return owner;
}

/** Takes out the value of a field under either of its names. */
function take(owner: JsonObject, field: DescField): JsonValue | undefined {
  const name = field.name in owner && !(field.jsonName in owner) ? field.name : field.jsonName;
  const value = owner[name];
  delete owner[name];
  return value;
}

/** The names in a JSON object and below, as they came: decoding takes some of them out. */
type Names = Map<string, Names | undefined>;

function namesIn(json: JsonObject, depth = 1): Names {
  const below = (value: JsonValue) => (isObject(value) && depth < deepest ? namesIn(value, depth + 1) : undefined);
  return new Map(Object.entries(json).map(([name, value]) => [name, below(value)]));
}

/**
 * AIP-134: without a mask, the fields that the body names are the ones to change, within a message too, as a merge patch
 * has it (RFC 7396). AIP-154: an etag is no change.
 */
function fillUpdateMask({ updateMask, body, path }: Binding, message: Message, patch: Names): void {
  const target = message as Message & Record<string, unknown>;
  if (updateMask === undefined || typeof body !== "object" || body.message === undefined) return;
  if (target[updateMask.localName] !== undefined) return;
  const fixed = new Set(path.filter(({ fields }) => fields[0] === body).map(({ fields }) => fields[1]?.name));
  const paths = maskPaths(body.message, patch).filter((name) => name !== "etag" && !fixed.has(name));
  target[updateMask.localName] = create(FieldMaskSchema, { paths });
}

function maskPaths(message: DescMessage, names: Names): string[] {
  return [...names].flatMap(([name, below]) => {
    const field = findField(message, name);
    if (field === undefined) return [];
    // Lists, maps and the messages whose JSON has a form of its own are replaced as a whole.
    const isMerged = field.fieldKind === "message" && !field.message.typeName.startsWith("google.protobuf.");
    if (below === undefined || below.size === 0 || !isMerged) return [field.name];
    return maskPaths(field.message, below).map((path) => `${field.name}.${path}`);
  });
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
