import type { IncomingMessage } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type WebSocket, WebSocketServer } from "ws";
import type { GatewayContext } from "../context.ts";
import { clientTimeoutMs } from "../deadline.ts";
import { isFaultCode, wrongHandshake } from "../errors/edge-error.ts";
import { problemInBand, sendProblem } from "../plugins/problems.ts";
import type { Binding } from "../transcoding/binding.ts";
import { envelope } from "../transcoding/stream-format.ts";
import { checkHandshake, checkOrigin, hearsFrames, subprotocol, takeOver } from "./handshake.ts";
import { openStream } from "./open-stream.ts";
import { streamOpened } from "./open-streams.ts";

const closeMs = 1_000;
/** Close codes (RFC 6455, section 7.4). */
const closeCode = { normal: 1000, notWelcome: 1008, fault: 1011, ofStatus: 4000 } as const;

const server = new WebSocketServer({
  noServer: true,
  // Nothing is asked of the client, so little is taken from it.
  maxPayload: 4096,
  perMessageDeflate: false,
  handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
});

export interface SocketExchange {
  request: FastifyRequest;
  reply: FastifyReply;
  binding: Binding;
  /** Settles who calls, and reads the request. Throws what is wrong with it. */
  prepare: () => Promise<Message>;
  closing: AbortSignal;
}

/**
 * Answers with a stream over a WebSocket: a frame for each message, as NDJSON has lines. What is wrong with the call is
 * told by HTTP, or to a client that asks for the subprotocol by the last frame.
 */
export async function answerSocket(context: GatewayContext, exchange: SocketExchange): Promise<void> {
  const { request, reply, binding, prepare } = exchange;
  let prepared: Promise<Message>;
  try {
    checkHandshake(request.raw);
    const { cors, trustedHops } = context.config;
    checkOrigin(request.raw, { origins: cors.origins, trustedHops });
    if (binding.method.methodKind !== "server_streaming") throw wrongHandshake("this path has no stream");
    prepared = prepare();
    if (!hearsFrames(request.raw)) await prepared;
    prepared.catch(() => {});
  } catch (error) {
    return void sendProblem(request, reply, error, binding);
  }
  const socket = await accept(request.raw, reply);
  if (socket === undefined) return;
  const gone = new AbortController();
  socket.once("close", () => gone.abort());
  socket.once("message", () => {
    socket.close(closeCode.notWelcome, "this stream takes no messages");
    gone.abort();
  });
  const beat = keepAlive(socket, context.config.streams.heartbeatMs);
  try {
    await sendStream(context, { ...exchange, prepare: () => prepared }, { socket, gone: gone.signal });
  } finally {
    clearInterval(beat);
    await closed(socket);
  }
}

/** From here on there is no answer of HTTP any more. Answers with nothing when the client has gone in the meantime. */
function accept(request: IncomingMessage, reply: FastifyReply): Promise<WebSocket | undefined> {
  reply.hijack();
  const { socket, head } = takeOver(request, reply.raw);
  reply.raw.statusCode = 101;
  const { promise, resolve } = Promise.withResolvers<WebSocket | undefined>();
  const leave = () => resolve(undefined);
  if (socket.destroyed) leave();
  socket.once("close", leave);
  server.handleUpgrade(request, socket, head, (accepted) => {
    // Frames that break the protocol are answered by ws itself, with the code for it.
    accepted.on("error", () => {});
    socket.off("close", leave);
    resolve(accepted);
  });
  return promise;
}

async function sendStream(
  { forwarder, transcoder, config, streams }: GatewayContext,
  { request, binding, prepare, closing }: SocketExchange,
  { socket, gone }: { socket: WebSocket; gone: AbortSignal },
): Promise<void> {
  const { patienceMs } = config.streams;
  let ended = () => {};
  try {
    const message = await prepare();
    ended = streamOpened(streams, "websocket", request.edge.userId);
    const signal = AbortSignal.any([gone, closing]);
    const timeoutMs = clientTimeoutMs(request.edge.headers);
    const stream = await openStream(forwarder, request.edge, binding.method, { message, timeoutMs, signal });
    for await (const each of stream.messages) {
      await send(socket, envelope("result", transcoder.encode(binding, each)), patienceMs);
    }
    socket.close(closeCode.normal);
  } catch (error) {
    if (gone.aborted || socket.readyState !== socket.OPEN) return;
    const { problem } = problemInBand(request, error, binding);
    await send(socket, envelope("error", JSON.stringify(problem)), patienceMs).catch(() => {});
    socket.close(isFaultCode(problem.code) ? closeCode.fault : closeCode.ofStatus + problem.status, problem.reason);
  } finally {
    ended();
  }
}

/** Answers once the frame is on its way; a client that takes nothing for long is gone. */
function send(socket: WebSocket, text: string, patienceMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => socket.terminate(), patienceMs);
  socket.send(text, (error) => (error ? reject(error) : resolve()));
  return promise.finally(() => clearTimeout(timer));
}

/** Pings (RFC 6455, section 5.5.2): a peer that is gone without a word answers none. */
function keepAlive(socket: WebSocket, heartbeatMs: number): NodeJS.Timeout {
  let isAlive = true;
  socket.on("pong", () => {
    isAlive = true;
  });
  return setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, heartbeatMs);
}

async function closed(socket: WebSocket): Promise<void> {
  if (socket.readyState === socket.CLOSED) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => socket.terminate(), closeMs);
  socket.once("close", resolve);
  await promise;
  clearTimeout(timer);
}
