import type { DescMethod, Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { FastifyReply } from "fastify";
import { Access } from "#gen/mesh/v1/options_pb.js";
import { policyOf } from "#kit/grpc/policy.ts";
import { addVary } from "./compression/vary.ts";
import { entityTag } from "./etag.ts";

/** Whether a GET may make the call. */
export function isRead({ idempotency }: DescMethod): boolean {
  return idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

/**
 * Says how long an answer may be kept (RFC 9111): what is public for a minute; what is a person's own and has a tag by
 * that person alone, who asks each time whether it is still good; anything else not at all, which is the default.
 */
export function addCaching(reply: FastifyReply, method: DescMethod, etag: string | undefined): void {
  if (etag !== undefined) reply.header("etag", etag);
  if (!isRead(method)) return;
  if (policyOf(method)?.access === Access.PUBLIC) {
    reply.header("cache-control", "public, max-age=60");
  } else if (etag !== undefined) {
    reply.header("cache-control", "private, no-cache");
    addVary(reply, "authorization");
  }
}

/** The tag of an answer that is one resource and nothing else. */
export function tagOfWhole(answer: Message & Record<string, unknown>, { output }: DescMethod): string | undefined {
  const [only, another] = output.fields;
  if (only?.fieldKind !== "message" || another !== undefined) return entityTag(answer);
  return entityTag(answer[only.localName] as Message | undefined);
}
