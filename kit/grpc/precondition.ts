import type { DescField, DescMessage, DescMethod, Message } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { matchesStrongly, matchesWeakly, parseTags, type TagCondition } from "../entity-tags.ts";
import { etagMismatch, invalidArgument } from "../errors.ts";
import type { CallContext } from "./service.ts";

/** The version of a resource that is there now. */
export interface Version {
  etag: string;
  /** Counts its changes, where they are counted. */
  revision?: bigint;
}

/**
 * Throws ETAG_MISMATCH unless the version is the one that the caller has seen: the request's etag, if given, and one of
 * If-Match; and none of If-None-Match (RFC 9110, section 13.1). INVALID_ARGUMENT for a malformed header.
 */
export function mustMatch(call: Pick<CallContext, "header">, etag: string, current: Version): void {
  const ifMatch = conditionOf(call, "if-match");
  const ifNoneMatch = conditionOf(call, "if-none-match");
  const given = etag === "" ? undefined : (parseTags(etag) ?? [{ value: etag, weak: false }]);
  const holds =
    (given === undefined || matchesStrongly(given, current.etag)) &&
    (ifMatch === undefined || matchesStrongly(ifMatch, current.etag)) &&
    (ifNoneMatch === undefined || !matchesWeakly(ifNoneMatch, current.etag));
  if (!holds) throw etagMismatch(current.etag, current.revision);
}

/** The condition that a header states; undefined without the header. Throws INVALID_ARGUMENT. */
export function conditionOf(call: Pick<CallContext, "header">, name: "if-match" | "if-none-match") {
  const text = call.header(name);
  return text === undefined ? undefined : readCondition(name, text);
}

/** Reads a condition. Throws INVALID_ARGUMENT that names the header. */
export function readCondition(name: "if-match" | "if-none-match", text: string): TagCondition {
  const condition = parseTags(text);
  if (condition === undefined) throw invalidArgument(name, 'must be entity tags in quotes, between commas, or "*"');
  return condition;
}

const places = new WeakMap<DescMethod, readonly DescField[]>();

/**
 * Where the request says which version it changes: its own etag, or that of the resource that its update mask is about.
 * Empty for a method that takes none.
 */
export function etagPlace(method: DescMethod): readonly DescField[] {
  let place = places.get(method);
  if (place === undefined) {
    place = findPlace(method.input);
    places.set(method, place);
  }
  return place;
}

/** The etag that a request carries, "" when it has none. */
export function etagIn(method: DescMethod, request: Message): string {
  let value: unknown = request;
  for (const { localName } of etagPlace(method)) value = (value as Record<string, unknown> | undefined)?.[localName];
  return typeof value === "string" ? value : "";
}

function findPlace(input: DescMessage): readonly DescField[] {
  const own = etagField(input);
  if (own) return [own];
  const isUpdate = input.fields.some(({ message }) => message?.typeName === "google.protobuf.FieldMask");
  if (!isUpdate) return [];
  for (const field of input.fields) {
    const inner = field.fieldKind === "message" ? etagField(field.message) : undefined;
    if (inner) return [field, inner];
  }
  return [];
}

function etagField(message: DescMessage): DescField | undefined {
  return message.fields.find(
    (field) => field.name === "etag" && field.fieldKind === "scalar" && field.scalar === ScalarType.STRING,
  );
}
