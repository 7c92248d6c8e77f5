import { type DescMethod, fromBinary, type JsonValue } from "@bufbuild/protobuf";
import type { FastifyRequest } from "fastify";
import type { GatewayContext } from "../context.ts";
import { asServiceError, bodyTooLarge, malformedRequest } from "../errors/edge-error.ts";
import { decodeJson } from "../transcoding/decode-json.ts";
import { parseJsonBody } from "../transcoding/json-body.ts";

const types =
  /^application\/(?:(?<plain>json|proto)|(?:connect|grpc|grpc-web)(?:\+(?<framed>json|proto))?)\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;
const prefixLength = 5;

/**
 * Reads the one message of a Connect, gRPC or gRPC-Web call ahead of the protocol's own handler, so that a malformed
 * one is refused with the same code, words and fields as by REST. The fault waits in `request.edge` until the caller
 * is known. A compressed message is left to the handler.
 */
export async function readCallBody(context: GatewayContext, request: FastifyRequest): Promise<void> {
  const { headers } = request;
  const type = types.exec(headers["content-type"] ?? "")?.groups;
  const method = context.methodByPath.get(request.routeOptions.url ?? "");
  if (method === undefined) return;
  if (request.method === "GET") checkQuery(method, request);
  if (type === undefined || request.method !== "POST") return;
  if (type.plain !== undefined && headers["content-encoding"] !== undefined) return;
  // Stands for the message when it is refused: nobody reads it then.
  request.body = type.plain === undefined ? once(new Uint8Array()) : {};
  try {
    const body = await readAll(request, context.bodyLimit + (type.plain === undefined ? prefixLength : 0));
    const isJson = (type.plain ?? type.framed)?.toLowerCase() === "json";
    if (type.plain === undefined) {
      const message = unframed(body);
      if (message) checkMessage(method, message, isJson);
      request.body = once(body);
    } else {
      request.body = checkMessage(method, body, isJson) ?? body;
    }
  } catch (error) {
    request.edge.bodyFault = asServiceError(error);
  }
}

/** A Connect GET has its message in the query. */
function checkQuery(method: DescMethod, request: FastifyRequest): void {
  const { message, encoding, base64, compression } = request.query as Record<string, unknown>;
  if (typeof message !== "string" || (compression !== undefined && compression !== "identity")) return;
  try {
    checkMessage(method, Buffer.from(message, base64 === "1" ? "base64url" : "utf8"), encoding === "json");
  } catch (error) {
    request.edge.bodyFault = asServiceError(error);
  }
}

/** Throws what is wrong with a message. Answers with its JSON when it is JSON. */
function checkMessage(method: DescMethod, bytes: Uint8Array, isJson: boolean): JsonValue | undefined {
  if (isJson) return checkJson(method, bytes);
  try {
    fromBinary(method.input, bytes);
  } catch {
    throw malformedRequest("the request is no message of its type");
  }
  return undefined;
}

function checkJson({ input }: DescMethod, bytes: Uint8Array): JsonValue {
  const value = parseJsonBody(bytes, { message: input, prefix: "" });
  decodeJson(input, value);
  return value;
}

/** The message of a body with exactly one frame that is not compressed. */
function unframed(body: Buffer): Buffer | undefined {
  if (body.length < prefixLength || body[0] !== 0) return undefined;
  return body.readUInt32BE(1) === body.length - prefixLength ? body.subarray(prefixLength) : undefined;
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

async function readAll({ raw }: FastifyRequest, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  // The socket stays open when too much comes, for the answer still has to go out.
  for await (const chunk of raw.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > limit) throw bodyTooLarge(limit);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}
