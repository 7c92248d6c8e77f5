import { create, fromJson, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { withFault } from "../generate/json.ts";
import { type Answer, codeNames, comparableMetadata, type Failure, failureOf } from "./answer.ts";
import { framed, framesOf } from "./frames.ts";
import type { HttpAnswer } from "./http1.ts";
import { bytesOf, listenMs, type Outgoing, type Protocol, pathOf, read, readBinary, type Wire } from "./protocol.ts";
import { bodyDesc, restRulesOf } from "./rest-rule.ts";

type Format = "json" | "proto";
type Content = Pick<HttpAnswer, "body" | "headers">;

const version = { "connect-protocol-version": "1" };
const longest = 7000;
const endFlag = 2;

/** HTTP statuses of Connect's codes, by its specification. */
const statusOfCode = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

/** Connect by POST; streams in its enveloped form. */
export function connect(wire: Wire, format: Format): Protocol {
  return {
    name: `Connect ${format}`,
    json: format === "json",
    send: async (call) => {
      if (call.method.methodKind !== "unary") return stream(wire, call, format);
      const headers = { ...version, "content-type": `application/${format}`, ...call.headers };
      const answer = await wire.send({ method: "POST", path: pathOf(call), headers, body: contentOf(call, format) });
      return readUnary(call, answer, format);
    },
  };
}

/** Connect by GET, for calls without side effects. */
export function connectGet(wire: Wire): Protocol {
  return {
    name: "Connect GET",
    json: true,
    send: async (call) => {
      const message = contentOf(call, "json");
      const encoded = message.toString("utf8");
      // Bytes that are no UTF-8 go as base64.
      const isText = Buffer.from(encoded).equals(message);
      const query = isText
        ? `message=${encodeURIComponent(encoded)}`
        : `base64=1&message=${message.toString("base64url")}`;
      const path = `${pathOf(call)}?connect=v1&encoding=json&${query}`;
      if (call.method.idempotency !== 1 || call.method.methodKind !== "unary" || path.length > longest)
        return undefined;
      return readUnary(
        call,
        await wire.send({ method: "GET", path, headers: { ...version, ...call.headers } }),
        "json",
      );
    },
  };
}

async function stream(wire: Wire, call: Outgoing, format: Format): Promise<Answer> {
  const headers = { ...version, "content-type": `application/connect+${format}`, ...call.headers };
  const body = framed(contentOf(call, format));
  const enough = (received: Buffer) => framesOf(received).length > 0;
  const answer = await wire.send(
    { method: "POST", path: pathOf(call), headers, body },
    { enough, milliseconds: listenMs },
  );
  const faults: string[] = [];
  const { milliseconds } = answer;
  if (answer.status !== 200) faults.push(`HTTP status ${answer.status}`);
  const metadata = comparableMetadata(answer.headers);
  for (const { flags, data } of framesOf(answer.body)) {
    if ((flags & endFlag) === 0)
      return { message: messageOf(call, data, format, faults), metadata, faults, milliseconds };
    const end = JSON.parse(data.toString()) as { error?: JsonObject; metadata?: Record<string, string[]> };
    const trailers = Object.fromEntries(
      Object.entries(end.metadata ?? {}).map(([name, values]) => [name.toLowerCase(), values.join(", ")]),
    );
    const told = { ...metadata, ...comparableMetadata(trailers) };
    return { failure: end.error && failureOfError(end.error), metadata: told, faults, milliseconds };
  }
  return { metadata, faults, milliseconds };
}

function contentOf(call: Outgoing, format: Format): Buffer {
  if (format === "proto") return Buffer.from(bytesOf(call));
  const { method, message, style, fault } = call;
  const tree = toJson(method.input, message, style) as JsonObject;
  if (fault === undefined) return Buffer.from(JSON.stringify(tree));
  const body = restRulesOf(method)[0]?.body ?? "";
  if (bodyDesc(method) === method.input) return withFault(tree, fault);
  // By REST the fault is in the body, which is one field of the request.
  const field = method.input.fields.find(({ name }) => name === body);
  const key = field && field.name in tree ? field.name : (field?.jsonName ?? body);
  const good = (tree[key] ?? {}) as JsonObject;
  const others = Object.entries(tree).filter(([name]) => name !== key);
  const rest = others.map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value as JsonValue)}`).join("");
  return Buffer.concat([Buffer.from(`{${JSON.stringify(key)}:`), withFault(good, fault), Buffer.from(`${rest}}`)]);
}

function readUnary(call: Outgoing, { status, headers, body, milliseconds }: HttpAnswer, format: Format): Answer {
  const faults: string[] = [];
  const metadata = comparableMetadata(headers);
  const type = String(headers["content-type"]);
  if (status === 200) {
    if (!type.startsWith(`application/${format}`)) faults.push(`content-type ${type}`);
    return { message: messageOf(call, body, format, faults), metadata, faults, milliseconds };
  }
  const failure = readFailure({ headers, body }, faults);
  if (failure && statusOfCode[failure.code] !== status)
    faults.push(`HTTP status ${status} for ${codeNames[failure.code]}`);
  return { failure, metadata, faults, milliseconds };
}

function messageOf(call: Outgoing, body: Buffer, format: Format, faults: string[]) {
  if (format === "proto") return readBinary(call, body, faults);
  return read(
    () => fromJson(call.method.output, JSON.parse(body.toString()) as JsonValue, { ignoreUnknownFields: call.lenient }),
    faults,
  );
}

function readFailure({ headers, body }: Content, faults: string[]): Failure | undefined {
  try {
    if (headers["content-type"] !== "application/json") faults.push(`an error as ${headers["content-type"]}`);
    return failureOfError(JSON.parse(body.toString()) as JsonObject);
  } catch (error) {
    faults.push(`the error cannot be read: ${(error as Error).message}: ${body.toString().slice(0, 200)}`);
    return undefined;
  }
}

function failureOfError(error: JsonObject): Failure {
  const details = (error.details ?? []) as { type: string; value: string }[];
  const code = (codeNames as readonly string[]).indexOf(
    String(error.code).toUpperCase().replace("CANCELED", "CANCELLED"),
  );
  return failureOf(code, String(error.message ?? ""), details.map(detailOf));
}

function detailOf({ type, value }: { type: string; value: string }): Any {
  return create(AnySchema, {
    typeUrl: `type.googleapis.com/${type}`,
    value: new Uint8Array(Buffer.from(value, "base64")),
  });
}
