import { type Message, toBinary } from "@bufbuild/protobuf";
import { invalidArgument } from "#kit/errors.ts";
import { methodName } from "#kit/grpc/definition.ts";
import { policyOf } from "#kit/grpc/policy.ts";
import type { ServerCall } from "#kit/grpc/server-call.ts";

const visible = /^[\x21-\x7e]{1,255}$/;

type WithRequestId = Message & { requestId?: string };

/**
 * The key of a call that has one and whose method takes one: the header `idempotency-key`, or the field `request_id`
 * (AIP-155). Both are one name space. Throws INVALID_ARGUMENT when the header is no key, or the field is another one.
 */
export function keyOf(call: ServerCall, request: Message): string | undefined {
  if (call.method.methodKind !== "unary" || !policyOf(call.method)?.idempotencyKey) return undefined;
  const named = (request as WithRequestId).requestId || undefined;
  const key = call.header("idempotency-key");
  if (key === undefined) return named;
  if (!visible.test(key)) throw invalidArgument("idempotency_key", "must be 1 to 255 visible ASCII characters");
  if (named !== undefined && named !== key) {
    throw invalidArgument("request_id", "must be left out or the same as the Idempotency-Key");
  }
  return key;
}

/**
 * What makes two calls the same: method, conditions and the message, wherever the key was. Fields that this release does
 * not know change nothing of what it does, so they are no difference either.
 */
export function identityOf(call: ServerCall, request: WithRequestId): Buffer {
  const conditions = ["if-match", "if-none-match"].map((name) => call.header(name) ?? "");
  const head = Buffer.from(`${[methodName(call.method), ...conditions].join("\0")}\0`);
  const message = request.requestId ? { ...request, requestId: "" } : request;
  return Buffer.concat([head, toBinary(call.method.input, message, { writeUnknownFields: false })]);
}
