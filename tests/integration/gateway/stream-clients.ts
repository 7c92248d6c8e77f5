import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { WebSocket } from "ws";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { NotificationService, WatchNotificationsResponseSchema } from "#gen/notification/v1/notification_service_pb.js";
import { codeName } from "#kit/errors.ts";
import type { Edge, Protocol } from "./edge.ts";

export const watchPath = "/v1/notifications:watch";
export const watchName = "notification.v1.NotificationService/WatchNotifications";

/** All that a client heard of a stream, in the same words for every form. */
export interface Heard {
  messages: JsonValue[];
  /** Name of the code and reason, when it failed; "cut" when it broke off without a word. */
  end: "well" | "cut" | { code: string; reason: string };
}

export type Form = "NDJSON" | "SSE" | "WebSocket" | Protocol;
export const forms: Form[] = ["NDJSON", "SSE", "WebSocket", "Connect JSON", "Connect", "gRPC-Web", "gRPC"];

export interface Options {
  headers: Record<string, string>;
  cursor?: string;
  signal?: AbortSignal;
  onMessage?: (message: JsonValue) => void;
}

/** Hears a stream to its end. */
export async function hear(edge: Edge, form: Form, options: Options): Promise<Heard> {
  switch (form) {
    case "NDJSON":
      return hearText(edge, "application/x-ndjson", options, line);
    case "SSE":
      return hearText(edge, "text/event-stream", options, event);
    case "WebSocket":
      return hearSocket(edge, options);
    default:
      return hearRpc(edge, form, options);
  }
}

type Piece = { message: JsonValue } | { error: { code: string; reason: string } } | { end: true } | undefined;

async function hearText(
  edge: Edge,
  accept: string,
  { headers, cursor, signal, onMessage }: Options,
  read: (text: string) => Piece,
): Promise<Heard> {
  const url = `${edge.url}${watchPath}${cursor ? `?cursor=${cursor}` : ""}`;
  const response = await fetch(url, { headers: { ...headers, accept }, signal: signal ?? null });
  if (!response.ok || response.body === null) throw new Error(`${response.status}: ${await response.text()}`);
  const heard: Heard = { messages: [], end: "well" };
  const isEvents = accept === "text/event-stream";
  let ended = !isEvents;
  try {
    for await (const text of pieces(response.body, isEvents ? "\n\n" : "\n")) {
      const piece = read(text);
      if (piece === undefined) continue;
      if ("message" in piece) {
        heard.messages.push(piece.message);
        onMessage?.(piece.message);
      } else if ("error" in piece) return { ...heard, end: piece.error };
      else ended = true;
    }
  } catch {
    return { ...heard, end: "cut" };
  }
  return { ...heard, end: ended ? "well" : "cut" };
}

export async function* pieces(body: ReadableStream<Uint8Array>, separator: string): AsyncGenerator<string> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream() as never) as unknown as AsyncIterable<string>) {
    const parts = (rest + text).split(separator);
    rest = parts.pop() ?? "";
    yield* parts;
  }
  if (rest !== "") throw new Error(`broken off in the midst of ${JSON.stringify(rest)}`);
}

function line(text: string): Piece {
  const { result, error } = JSON.parse(text);
  return error === undefined ? { message: result } : { error: { code: error.code, reason: error.reason } };
}

/** The fields of a server-sent event. */
export function fieldsOf(text: string): Record<string, string> {
  const lines = text.split("\n").filter((each) => !each.startsWith(":"));
  return Object.fromEntries(
    lines.map((each) => [each.slice(0, each.indexOf(": ")), each.slice(each.indexOf(": ") + 2)]),
  );
}

function event(text: string): Piece {
  const { data, event: name, id } = fieldsOf(text);
  if (data === undefined) return undefined;
  const json = JSON.parse(data);
  if (name === "error") return { error: { code: json.code, reason: json.reason } };
  if (name === "end") return { end: true };
  if (id !== json.cursor) throw new Error("the id of the event is not the cursor");
  return { message: json };
}

function hearSocket(edge: Edge, { headers, cursor, signal, onMessage }: Options): Promise<Heard> {
  const { promise, resolve, reject } = Promise.withResolvers<Heard>();
  const heard: Heard = { messages: [], end: "cut" };
  const url = `${edge.url.replace("http", "ws")}${watchPath}${cursor ? `?cursor=${cursor}` : ""}`;
  const socket = new WebSocket(url, { headers });
  signal?.addEventListener("abort", () => socket.terminate());
  socket.on("message", (data) => {
    const piece = line(String(data));
    if (piece && "error" in piece) heard.end = piece.error;
    else if (piece && "message" in piece) {
      heard.messages.push(piece.message);
      onMessage?.(piece.message);
    }
  });
  socket.on("error", reject);
  socket.on("close", (code) => resolve({ ...heard, end: code === 1000 ? "well" : heard.end }));
  return promise;
}

async function hearRpc(edge: Edge, protocol: Protocol, options: Options): Promise<Heard> {
  const { headers, cursor = "", signal, onMessage } = options;
  const client = createClient(NotificationService, edge.transports[protocol]);
  const messages: JsonValue[] = [];
  try {
    for await (const message of client.watchNotifications({ cursor }, { headers, ...(signal && { signal }) })) {
      const json = toJson(WatchNotificationsResponseSchema, message, { alwaysEmitImplicit: true });
      messages.push(json);
      onMessage?.(json);
    }
    return { messages, end: "well" };
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    const [info] = error.findDetails(ErrorInfoSchema);
    return { messages, end: { code: codeName(error.code), reason: info?.reason ?? "" } };
  }
}
