import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, ServiceError } from "#kit/errors.ts";
import { framePrefix } from "#kit/grpc/message-frames.ts";
import { bodyTooLarge, malformedRequest } from "./errors/edge-error.ts";

const compressedFlag = 1;

/** What is in a frame. */
export interface Framed {
  bytes: Buffer;
  isCompressed: boolean;
}

/**
 * The one message of a body. `limit` bounds it in bytes, unless it is compressed. Throws INVALID_ARGUMENT,
 * RESOURCE_EXHAUSTED, or UNIMPLEMENTED for none and for several, as gRPC asks.
 */
export function onlyMessage(body: Buffer, limit: number): Framed {
  if (body.length === 0) throw notOneMessage();
  const [flags = 0] = body;
  if (body.length < framePrefix || flags > compressedFlag) throw malformedRequest("the body is no well-formed frame");
  const isCompressed = flags === compressedFlag;
  const length = body.readUInt32BE(1);
  if (length > limit && !isCompressed) throw bodyTooLarge(limit);
  const end = framePrefix + length;
  if (end > body.length) throw malformedRequest("the frame of the message ends too early");
  if (end < body.length)
    throw isFrame(body.subarray(end)) ? notOneMessage() : malformedRequest("bytes follow the frame");
  return { bytes: body.subarray(framePrefix), isCompressed };
}

function isFrame(bytes: Buffer): boolean {
  return bytes.length >= framePrefix && bytes.readUInt32BE(1) <= bytes.length - framePrefix;
}

function notOneMessage(): ServiceError {
  const message = "the call takes exactly one message";
  return new ServiceError({ code: Code.UNIMPLEMENTED, reason: ErrorReason.INVALID_FIELD, message });
}
