import { type DescMethod, fromBinary, type Message, toBinary, toJson } from "@bufbuild/protobuf";
import { Access } from "#gen/mesh/v1/options_pb.js";
import { policyOf } from "#kit/grpc/policy.ts";
import type { Outgoing, Protocol } from "./drive/protocol.ts";
import type { Case } from "./generate/case.ts";
import { toMessage } from "./generate/message.ts";
import { resolved } from "./generate/symbols.ts";
import type { Lane } from "./lane.ts";
import { hasMask, withMaskOfBody } from "./update-mask.ts";

/** What one person sends in a case. */
export function outgoing(one: Case, lane: Lane, lenient: boolean): Outgoing {
  const { method, wire, json: fault, style } = one;
  const message = toMessage(method.input, resolved(one.message, lane));
  const headers: Record<string, string> = {};
  if (one.token === "own" && policyOf(method)?.access === Access.USER)
    headers.authorization = `Bearer ${lane.account.accessToken}`;
  if (one.token === "forged") headers.authorization = `Bearer ${lane.account.accessToken.slice(0, -8)}AAAAAAAA`;
  if (one.ifMatch !== undefined) headers["if-match"] = `"${lane.meaning("etag", one.ifMatch)}"`;
  if (one.key !== undefined) headers["idempotency-key"] = `key-${lane.mark}-${one.key}`;
  if (wire === undefined) {
    const isOwn = one.maskByBody && !fault && lane.protocol.name !== "REST" && !hasMask(method, message);
    return {
      method,
      message: isOwn ? withMaskOfBody(method, message, style) : message,
      fault,
      style,
      headers,
      lenient,
    };
  }
  const bytes = wire.apply(toBinary(method.input, message));
  return { method, message: decoded(method, bytes) ?? message, bytes, style, headers, lenient };
}

/** The message of some bytes; undefined when they are none. */
export function decoded(method: DescMethod, bytes: Uint8Array): Message | undefined {
  try {
    return fromBinary(method.input, bytes);
  } catch {
    return undefined;
  }
}

/** Whether a protocol can say the case. Another one has to where it can but for this; nobody does when it is "no case of it". */
export function sayable(
  one: Case,
  { json, name }: Protocol,
  call: Outgoing,
): "by itself" | "by another" | "no case of it" {
  const { method, bytes, message } = call;
  if (one.json) return json ? "by itself" : "no case of it";
  if (bytes !== undefined && json && decoded(method, bytes) === undefined) return "no case of it";
  const isMasked = hasMask(method, message) || (bytes === undefined && one.maskByBody);
  if (name === "REST" && !isMasked) return "by another";
  return !json || hasJson(call) ? "by itself" : "by another";
}

/** Bytes can hold what JSON has no form for, such as a time after the year 9999. */
function hasJson({ method, message }: Outgoing): boolean {
  try {
    toJson(method.input, message);
    return true;
  } catch {
    return false;
  }
}
