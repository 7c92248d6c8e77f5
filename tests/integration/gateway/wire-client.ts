import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { connect, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";

export interface WireRequest {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: Uint8Array | string | undefined;
}

export interface WireAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  trailers: Record<string, unknown>;
  body: Buffer;
}

/** Where to, and by which version of HTTP. */
export interface Wire {
  url: string;
  http: 1 | 2;
  /** PEM: the certificate that a server with TLS must have. */
  ca?: string | undefined;
}

/** One request on a connection of its own, byte for byte as given: nothing is added, unpacked or tidied up. */
export function send(wire: Wire, request: WireRequest): Promise<WireAnswer> {
  return wire.http === 1 ? sendHttp1(wire, request) : sendHttp2(wire, request);
}

function sendHttp1({ url, ca }: Wire, { method = "POST", path, headers = {}, body }: WireRequest): Promise<WireAnswer> {
  const { hostname, port } = new URL(url);
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const options = { host: hostname, port, method, path, headers: { ...headers, ...length } };
  const connection = ca === undefined ? { agent: false as const } : { createConnection: tlsTo(url, ca, "http/1.1") };
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...options, ...connection }, async (response: IncomingMessage) => {
      const { statusCode: status = 0, headers: received } = response;
      const bytes = Buffer.concat(await response.toArray());
      outgoing.destroy();
      resolve({ status, headers: received, trailers: response.trailers, body: bytes });
    });
    outgoing.on("error", reject).end(body);
  });
}

async function sendHttp2(
  { url, ca }: Wire,
  { method = "POST", path, headers, body }: WireRequest,
): Promise<WireAnswer> {
  const session = connect(url, ca === undefined ? {} : { createConnection: tlsTo(url, ca, "h2") });
  try {
    return await new Promise<WireAnswer>((resolve, reject) => {
      session.on("error", reject);
      const outgoing: OutgoingHttpHeaders = { ":method": method, ":path": path, ...headers };
      const stream = session.request(outgoing, { endStream: body === undefined });
      const answer: WireAnswer = { status: 0, headers: {}, trailers: {}, body: Buffer.alloc(0) };
      const chunks: Buffer[] = [];
      stream.on("response", (received) => {
        answer.status = received[":status"] ?? 0;
        answer.headers = received;
      });
      stream.on("trailers", (trailers) => {
        answer.trailers = trailers;
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject);
      stream.on("close", () => resolve({ ...answer, body: Buffer.concat(chunks) }));
      if (body !== undefined) stream.end(body);
    });
  } finally {
    session.close();
  }
}

/** Connections with TLS that speak the given protocol (ALPN, RFC 7301), and none if the server does not. */
function tlsTo(url: string, ca: string, protocol: string): () => TLSSocket {
  const { hostname, port } = new URL(url);
  return () => {
    const options = { host: hostname, port: Number(port), ca, servername: "localhost", ALPNProtocols: [protocol] };
    const socket = connectTls(options, () => {
      if (socket.alpnProtocol !== protocol) socket.destroy(new Error(`the server speaks ${socket.alpnProtocol}`));
    });
    return socket;
  };
}

/** A message in the frame of gRPC, gRPC-Web and Connect streams. */
export function frame(message: Uint8Array, flags = 0): Buffer {
  const prefix = Buffer.from([flags, 0, 0, 0, 0]);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

export interface Frame {
  flags: number;
  bytes: Buffer;
}

/** The frames of a body. */
export function framesOf(body: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    frames.push({ flags: body[at] ?? 0, bytes: body.subarray(at + 5, end) });
    at = end;
  }
  return frames;
}

/** The names and values of gRPC-Web's last frame. */
export function webTrailers(frames: readonly Frame[]): Record<string, string> {
  const text = frames.find(({ flags }) => (flags & 0x80) !== 0)?.bytes.toString() ?? "";
  const lines = text.split("\r\n").filter((line) => line !== "");
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
}
