import type { DescMethod, Message } from "@bufbuild/protobuf";
import { matchesStrongly, matchesWeakly, parseTags } from "#kit/entity-tags.ts";
import { etagMismatch } from "#kit/errors.ts";
import type { HeaderMap } from "#kit/grpc/outgoing-call.ts";
import { etagPlace, readCondition } from "#kit/grpc/precondition.ts";

const tagText = /^[\x21\x23-\x7e]+$/;
const conditions = ["if-match", "if-none-match"] as const;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * The conditions of a change, for the service that knows which version is there (RFC 9110, section 13.1). Empty where
 * the call changes nothing that has a version. Throws INVALID_ARGUMENT for a malformed one, which must not get lost.
 */
export function conditionHeaders(method: DescMethod, headers: Headers): HeaderMap {
  const passed: HeaderMap = {};
  if (etagPlace(method).length === 0) return passed;
  for (const name of conditions) {
    const text = headers[name];
    if (typeof text !== "string") continue;
    readCondition(name, text);
    passed[name] = text;
  }
  return passed;
}

/** The entity tag of a resource, in the form of the ETag header; undefined when it has none. */
export function entityTag(resource: Message | undefined): string | undefined {
  const etag = (resource as (Message & { etag?: unknown }) | undefined)?.etag;
  return typeof etag === "string" && tagText.test(etag) ? `"${etag}"` : undefined;
}

/** Throws ETAG_MISMATCH when If-Match of a read names other versions than the one that was read. */
export function mustBeWanted(ifMatch: string | undefined, tag: string | undefined): void {
  if (ifMatch === undefined || tag === undefined) return;
  const current = tag.slice(1, -1);
  if (!matchesStrongly(readCondition("if-match", ifMatch), current)) throw etagMismatch(current);
}

/** Whether If-None-Match (RFC 9110, section 13.1.2: weak comparison) names the tag that the resource has. */
export function isUnchanged(ifNoneMatch: string | undefined, tag: string | undefined): boolean {
  if (ifNoneMatch === undefined || tag === undefined) return false;
  const condition = parseTags(ifNoneMatch);
  return condition !== undefined && matchesWeakly(condition, tag.slice(1, -1));
}
