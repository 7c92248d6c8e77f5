import type { DescField, DescMessage, DescMethod, Message } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { invalidArgument } from "#kit/errors.ts";

type Fields = Message & Record<string, unknown>;

const strongTag = /^"([\x21\x23-\x7e]+)"$/;
const places = new WeakMap<DescMethod, DescField[]>();

/**
 * Puts the tag of If-Match (RFC 9110, section 13.1.1) where the request says which version it means: its etag field,
 * or that of the resource in it. "*" asks for any version. Throws INVALID_ARGUMENT.
 */
export function applyIfMatch(method: DescMethod, message: Message, ifMatch: string | undefined): void {
  if (ifMatch === undefined || ifMatch === "*") return;
  const [first, second] = placeOf(method);
  if (first === undefined) return;
  const tag = strongTag.exec(ifMatch)?.[1];
  if (tag === undefined) throw invalidArgument("if-match", "must be one strong entity tag");
  const owner = (second ? (message as Fields)[first.localName] : message) as Fields | undefined;
  if (owner === undefined) return;
  const field = second ?? first;
  const given = owner[field.localName];
  const path = second ? `${first.name}.${field.name}` : field.name;
  if (given !== "" && given !== tag) throw invalidArgument(path, "must be left out or the same as in If-Match");
  owner[field.localName] = tag;
}

/** The entity tag of a resource, in the form of the ETag header; undefined when it has none. */
export function entityTag(resource: Message | undefined): string | undefined {
  const etag = (resource as Fields | undefined)?.etag;
  return typeof etag === "string" && etag !== "" && strongTag.test(`"${etag}"`) ? `"${etag}"` : undefined;
}

/** Whether If-None-Match (RFC 9110, section 13.1.2: weak comparison) names the tag that the resource has. */
export function isUnchanged(ifNoneMatch: string | undefined, tag: string | undefined): boolean {
  if (ifNoneMatch === undefined || tag === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return [...ifNoneMatch.matchAll(/"[\x21\x23-\x7e]*"/g)].some(([given]) => given === tag);
}

/** The way from the request to its etag field: none, one or two fields. */
function placeOf(method: DescMethod): DescField[] {
  let place = places.get(method);
  if (place === undefined) {
    place = findPlace(method.input);
    places.set(method, place);
  }
  return place;
}

function findPlace(input: DescMessage): DescField[] {
  const own = etagField(input);
  if (own) return [own];
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
