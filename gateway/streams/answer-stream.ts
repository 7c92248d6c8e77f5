import type { ServerResponse } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { GatewayConfig } from "../config.ts";
import type { GatewayContext } from "../context.ts";
import { clientTimeoutMs } from "../deadline.ts";
import { notAcceptable } from "../errors/edge-error.ts";
import { visibleHeaders } from "../forward.ts";
import { goneSignal } from "../plugins/gone-signal.ts";
import { problemInBand } from "../plugins/problems.ts";
import type { Binding } from "../transcoding/binding.ts";
import { chooseStreamFormat, type StreamFormat, streamFormats } from "../transcoding/stream-format.ts";
import { cursorOf, resumeAt } from "./cursor.ts";
import { type OpenStream, openStream } from "./open-stream.ts";
import { streamOpened } from "./open-streams.ts";

export interface StreamExchange {
  request: FastifyRequest;
  reply: FastifyReply;
  binding: Binding;
  message: Message;
  /** Aborts with a ServiceError when the server is told to close. */
  closing: AbortSignal;
}

/**
 * Answers with a stream in the form that Accept asks for: a line or an event for each message. What goes wrong before
 * the first of them is thrown; after that it is the last line or event.
 */
export async function answerStream(context: GatewayContext, exchange: StreamExchange): Promise<void> {
  const { request, reply, binding, message, closing } = exchange;
  const { edge } = request;
  const format = chooseStreamFormat(request.headers.accept);
  if (format === undefined) throw notAcceptable(streamFormats.map(({ mediaType }) => mediaType));
  resumeAt(binding.method, message, edge.headers["last-event-id"] as string | undefined);
  reply.header("content-type", format.mediaType);
  // nginx and its kin would gather messages before they pass them on.
  reply.headers({ "x-accel-buffering": "no", "cache-control": "no-store, no-transform" });
  if (request.method === "HEAD") return void reply.send();
  const signal = AbortSignal.any([goneSignal(reply), closing]);
  const timeoutMs = clientTimeoutMs(edge.headers);
  const stream = await openStream(context.forwarder, edge, binding.method, { message, timeoutMs, signal });
  await writeStream(context, exchange, { stream, format });
}

async function writeStream(
  { transcoder, config, streams }: GatewayContext,
  { request, reply, binding }: StreamExchange,
  { stream, format }: { stream: OpenStream; format: StreamFormat },
): Promise<void> {
  for (const [name, value] of visibleHeaders(stream.headers)) reply.header(name, value);
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, reply.getHeaders() as Record<string, string>);
  const writer = new Writer(raw, format, config.streams);
  const kind = format.mediaType === "text/event-stream" ? "sse" : "ndjson";
  const ended = streamOpened(streams, kind, request.edge.userId);
  try {
    await writer.write(format.begin);
    for await (const message of stream.messages) {
      await writer.write(format.message(transcoder.encode(binding, message), cursorOf(binding.method, message)));
    }
    await writer.write(format.end);
  } catch (error) {
    if (raw.destroyed) return;
    const { problem, retryAfterMs } = problemInBand(request, error, binding);
    await writer.write(format.error(JSON.stringify(problem), retryAfterMs)).catch(() => {});
  } finally {
    ended();
    writer.end();
  }
}

/** Writes no faster than the client reads. */
class Writer {
  readonly #response: ServerResponse;
  readonly #patienceMs: number;
  readonly #silence: NodeJS.Timeout | undefined;

  constructor(
    response: ServerResponse,
    { silence }: StreamFormat,
    { heartbeatMs, patienceMs }: GatewayConfig["streams"],
  ) {
    this.#response = response;
    this.#patienceMs = patienceMs;
    response.flushHeaders();
    if (silence === undefined) return;
    this.#silence = setInterval(() => {
      if (!response.writableNeedDrain) response.write(silence);
    }, heartbeatMs);
  }

  /** Throws when the client has gone, or takes nothing any more. */
  async write(text: string): Promise<void> {
    if (text === "") return;
    this.#silence?.refresh();
    if (this.#response.destroyed) throw new Error("the client has gone");
    if (!this.#response.write(text)) await drained(this.#response, this.#patienceMs);
  }

  end(): void {
    clearInterval(this.#silence);
    if (!this.#response.destroyed) this.#response.end();
  }
}

/** Somebody who takes nothing for so long is gone. */
function drained(response: ServerResponse, patienceMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const close = () => reject(new Error("the client has gone"));
  const timer = setTimeout(() => response.destroy(), patienceMs);
  response.once("drain", resolve);
  response.once("close", close);
  return promise.finally(() => {
    clearTimeout(timer);
    response.off("drain", resolve);
    response.off("close", close);
  });
}
