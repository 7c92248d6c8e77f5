import { type DescMethod, fromBinary, type JsonValue, type Message, type Registry } from "@bufbuild/protobuf";
import type { FastifyRequest } from "fastify";
import { frameOf, framePrefix } from "#kit/grpc/message-frames.ts";
import { admit } from "../admit.ts";
import { type CallType, checkVersion, codingOfCall } from "../call-type.ts";
import type { Coding } from "../compression/codings.ts";
import type { GatewayContext } from "../context.ts";
import { clientTimeoutMs } from "../deadline.ts";
import { asEdgeError, bodyTooLarge, HttpError, malformedRequest } from "../errors/edge-error.ts";
import { onlyMessage } from "../frame.ts";
import { decodeJson } from "../transcoding/decode-json.ts";
import { parseJsonBody } from "../transcoding/json-body.ts";

/** What cannot be packed gets longer by some bytes. */
const packingSlack = 1024;

/**
 * Reads the one message of a Connect, gRPC or gRPC-Web call ahead of the protocol's own handler, so that a malformed
 * one is refused with the same code and words as by REST. The handler gets it checked, and no longer compressed. The
 * fault waits in `request.edge` for the handler's gate, which answers it as its protocol does.
 */
export async function readCallBody(
  context: GatewayContext,
  request: FastifyRequest,
  { method, type }: { method: DescMethod; type: CallType },
): Promise<void> {
  const { edge, headers } = request;
  // Stands for the message when it is refused: nobody reads it then.
  request.body = type.isFramed ? once(new Uint8Array()) : {};
  try {
    if (context.methodByPath.has(request.routeOptions.url ?? "")) await admit(context, edge, method);
    if (type.codingHeader !== "grpc-encoding") checkVersion(headers["connect-protocol-version"], "1");
    clientTimeoutMs(headers);
    const coding = codingOfCall(type, headers);
    const extra = (type.isFramed ? framePrefix : 0) + (coding ? packingSlack : 0);
    const body = await readAll(request, context.bodyLimit, extra);
    const bytes = await unpacked(body, { type, coding, limit: context.bodyLimit });
    const json = checkMessage(method, bytes, { isJson: type.isJson, registry: context.registry });
    request.body = type.isFramed ? once(frameOf(bytes)) : (json ?? bytes);
  } catch (error) {
    edge.fault = asEdgeError(error);
    // connect-es keeps such headers for itself.
    if (error instanceof HttpError) for (const header of Object.entries(error.headers)) edge.answerHeader(...header);
  }
}

/** Throws what is wrong with a message. Answers with its JSON when it is JSON. */
function checkMessage(method: DescMethod, bytes: Uint8Array, as: Codec): JsonValue | undefined {
  if (as.isJson) return checkJson(method, bytes, as.registry);
  decodeBinary(method, bytes);
  return undefined;
}

interface Codec {
  isJson: boolean;
  registry: Registry;
}

/** The request out of its bytes. Throws INVALID_ARGUMENT. */
export function decodeMessage(method: DescMethod, bytes: Uint8Array, { isJson, registry }: Codec): Message {
  if (!isJson) return decodeBinary(method, bytes);
  return decodeJson(method.input, parseJsonBody(bytes, { message: method.input, prefix: "" }), registry);
}

function decodeBinary({ input }: DescMethod, bytes: Uint8Array): Message {
  try {
    return fromBinary(input, bytes);
  } catch {
    throw malformedRequest("the request is no message of its type");
  }
}

function checkJson({ input }: DescMethod, bytes: Uint8Array, registry: Registry): JsonValue {
  const value = parseJsonBody(bytes, { message: input, prefix: "" });
  decodeJson(input, value, registry);
  return value;
}

interface Packing {
  type: CallType;
  coding: Coding | undefined;
  limit: number;
}

async function unpacked(body: Buffer, { type, coding, limit }: Packing): Promise<Uint8Array> {
  if (!type.isFramed) return coding ? coding.decompress(body, limit) : body;
  const { bytes, isCompressed } = onlyMessage(body, limit);
  if (!isCompressed) return bytes;
  if (coding === undefined) throw malformedRequest("the message is marked as compressed, and no compression is named");
  return coding.decompress(bytes, limit);
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

async function readAll({ raw }: FastifyRequest, limit: number, extra: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  // The socket stays open when too much comes, for the answer still has to go out.
  for await (const chunk of raw.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > limit + extra) throw bodyTooLarge(limit);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}
