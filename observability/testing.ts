import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** A span as a collector received it. */
export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  /** Empty for the first span of a trace. */
  parentSpanId: string;
  name: string;
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number;
  startTime: bigint;
  endTime: bigint;
  attributes: Record<string, string>;
  links: Array<{ traceId: string; spanId: string }>;
  /** 0 unset, 1 ok, 2 error. */
  status: number;
  resource: Record<string, string>;
}

export interface TestCollector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  endpoint: string;
  /** OTLP over gRPC, which Envoy speaks. */
  grpcPort: number;
  spans: ReceivedSpan[];
  /** The received bodies as one text, for a search of what must never be in them. */
  text(): string;
  /** Resolves with the spans once the condition holds; fails after 10 s with what came instead. */
  waitFor(condition: (spans: ReceivedSpan[]) => boolean): Promise<ReceivedSpan[]>;
  stop(): Promise<void>;
}

/** A real OTLP collector that keeps what it gets: http/protobuf on one port and gRPC on another. */
export async function startCollector(): Promise<TestCollector> {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  const waiting = new Set<() => void>();
  const take = (body: Uint8Array) => {
    bodies.push(Buffer.from(body).toString("latin1"));
    spans.push(...decodeExport(body));
    for (const look of waiting) look();
  };
  const http = httpReceiver(take);
  const grpc = grpcReceiver(take);
  const httpPort = await listen(http);
  const grpcPort = await listen(grpc);
  return {
    endpoint: `http://127.0.0.1:${httpPort}`,
    grpcPort,
    spans,
    text: () => bodies.join("\n"),
    waitFor: (condition) =>
      new Promise((resolve, reject) => {
        const limit = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`the awaited spans did not come, but: ${spans.map(({ name }) => name).join(", ")}`));
        }, 10_000);
        const look = () => {
          if (!condition(spans)) return;
          clearTimeout(limit);
          waiting.delete(look);
          resolve(spans);
        };
        waiting.add(look);
        look();
      }),
    stop: async () => {
      http.closeAllConnections();
      await Promise.all([http, grpc].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

type Take = (body: Uint8Array) => void;

function httpReceiver(take: Take): Server {
  return createHttpServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    if (request.method !== "POST" || request.url !== "/v1/traces") return response.writeHead(404).end();
    take(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body);
    return response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
}

function grpcReceiver(take: Take): Http2Server {
  const server = createHttp2Server();
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session.on("close", () => sessions.delete(session))));
  server.on("stream", async (stream) => {
    stream.on("error", () => {});
    const body = Buffer.concat(await stream.toArray());
    take(body.subarray(5));
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.alloc(5));
  });
  const close = server.close.bind(server);
  server.close = (callback) => {
    for (const session of sessions) session.destroy();
    return close(callback);
  };
  return server;
}

function listen(server: Server | Http2Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

/** The fields of a message by number; a value is a varint, 8 or 4 bytes, or bytes. */
type Fields = Map<number, Array<Uint8Array | bigint>>;

function fieldsOf(bytes: Uint8Array): Fields {
  const reader = new BinaryReader(bytes);
  const fields: Fields = new Map();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const values = fields.get(number) ?? [];
    fields.set(number, values);
    if (type === WireType.LengthDelimited) values.push(reader.bytes());
    else if (type === WireType.Varint) values.push(BigInt(reader.uint64()));
    else if (type === WireType.Bit64) values.push(BigInt(reader.fixed64()));
    else values.push(BigInt(reader.fixed32()));
  }
  return fields;
}

const messages = (fields: Fields, number: number) => (fields.get(number) ?? []) as Uint8Array[];
const bytes = (fields: Fields, number: number) => messages(fields, number)[0] ?? new Uint8Array();
const hex = (fields: Fields, number: number) => Buffer.from(bytes(fields, number)).toString("hex");
const text = (fields: Fields, number: number) => Buffer.from(bytes(fields, number)).toString("utf8");
const integer = (fields: Fields, number: number) => (fields.get(number)?.[0] ?? 0n) as bigint;

function decodeExport(body: Uint8Array): ReceivedSpan[] {
  return messages(fieldsOf(body), 1).flatMap((resourceSpans) => {
    const fields = fieldsOf(resourceSpans);
    const resource = attributesOf(fieldsOf(bytes(fields, 1)), 1);
    return messages(fields, 2).flatMap((scope) =>
      messages(fieldsOf(scope), 2).map((span) => decodeSpan(fieldsOf(span), resource)),
    );
  });
}

function decodeSpan(span: Fields, resource: Record<string, string>): ReceivedSpan {
  return {
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    parentSpanId: hex(span, 4),
    name: text(span, 5),
    kind: Number(integer(span, 6)),
    startTime: integer(span, 7),
    endTime: integer(span, 8),
    attributes: attributesOf(span, 9),
    links: messages(span, 13).map((link) => ({ traceId: hex(fieldsOf(link), 1), spanId: hex(fieldsOf(link), 2) })),
    status: Number(integer(fieldsOf(bytes(span, 15)), 3)),
    resource,
  };
}

function attributesOf(fields: Fields, number: number): Record<string, string> {
  return Object.fromEntries(
    messages(fields, number).map((pair) => {
      const entry = fieldsOf(pair);
      const value = fieldsOf(bytes(entry, 2));
      return [text(entry, 1), value.has(1) ? text(value, 1) : String(integer(value, 3) || integer(value, 2))];
    }),
  );
}
