import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { Code } from "../errors.ts";
import { type CallEnd, endOfHttp, endOfReset, endOfTrailers, endWith, statusOk } from "./call-end.ts";
import type { MeshChannel } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { type Fault, MessageReader } from "./message-frames.ts";

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_REFUSED_STREAM } = constants;
/** How often a call is sent again that the other side cannot have seen. */
const maxRepeats = 3;
const longestTimerMs = 2 ** 31 - 1;

/** What a call goes out with. */
export interface OutgoingRequest {
  /** Names and values by turns, as HTTP/2 has them. */
  headers: string[];
  /** The message with its prefix. */
  frame: Buffer;
  /** In milliseconds since the epoch; Infinity for none. */
  deadlineMs: number;
}

/** What is told of a call: its headers, its messages, then how it ended, once and as the last. */
export interface StreamListener {
  onHeaders(headers: IncomingHttpHeaders): void;
  onMessage(message: Buffer): void;
  onEnd(end: CallEnd): void;
}

/**
 * One call over HTTP/2, as gRPC has it, from its only request message to its status. It is sent again by itself only
 * when the other side says, or is known, not to have seen it (gRFC A6, transparent retries).
 */
export class OutgoingStream {
  readonly deadlineMs: number;
  readonly #channel: MeshChannel;
  readonly #request: OutgoingRequest;
  readonly #listener: StreamListener;
  #timer: NodeJS.Timeout | undefined;
  #stream: ClientHttp2Stream | undefined;
  #reader: MessageReader | undefined;
  /** What Node hands on before the headers that came ahead of it. */
  #early: Buffer[] | undefined;
  #isPaused = false;
  #isOver = false;
  #repeats = 0;
  #end: CallEnd | undefined;
  #status: number | undefined;

  constructor(channel: MeshChannel, request: OutgoingRequest, listener: StreamListener) {
    this.#channel = channel;
    this.#request = request;
    this.#listener = listener;
    this.deadlineMs = request.deadlineMs;
  }

  /** Sends the call; what comes of it is told to the listener. */
  start(): void {
    const remainingMs = this.deadlineMs - Date.now();
    if (remainingMs <= 0) this.#timeout();
    else {
      if (remainingMs <= longestTimerMs) this.#timer = setTimeout(timeout, remainingMs, this);
      this.#channel.start(this);
    }
  }

  /** Called by the channel, with a connection that is there. */
  open(connection: Connection): void {
    const { headers, frame, deadlineMs } = this.#request;
    const timed =
      deadlineMs < Number.POSITIVE_INFINITY ? [...headers, "grpc-timeout", timeoutText(deadlineMs)] : headers;
    const stream = connection.request(timed);
    const session = stream.session as ClientHttp2Session | undefined;
    this.#stream = stream;
    this.#reader = undefined;
    stream.on("response", (received, flags) => this.#onHeaders(received, (flags & NGHTTP2_FLAG_END_STREAM) !== 0));
    stream.on("data", (piece: Buffer) => this.#onData(piece));
    stream.on("trailers", (trailers) => this.#onTrailers(trailers));
    stream.on("error", ignore);
    stream.on("close", () => {
      if (this.#stream !== stream || this.#isOver) return;
      const isUnseen = !connection.mayHaveSeen(stream, session);
      if (stream.id === undefined && session?.destroyed === false) connection.retire(session);
      const isGone = session === undefined || session.closed || session.destroyed;
      this.#onClose(stream.rstCode, { isUnseen, isGone });
    });
    if (this.#isPaused) stream.pause();
    stream.end(frame);
  }

  /** Ends the call at both sides; the listener hears of it. */
  cancel(code: number, details: string): void {
    this.finish(endWith(code, details));
  }

  /** Has the other side wait before it sends more. */
  pause(): void {
    this.#isPaused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#stream?.resume();
  }

  /** Ends the call if it is not over yet. */
  finish(end: CallEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (this.#stream === undefined) this.#channel.forget(this);
    // A stream that has ended by itself is closed already, or about to be.
    else if (this.#end !== end) this.#stream.close(NGHTTP2_CANCEL);
    this.#listener.onEnd(end);
  }

  /** The deadline has passed. */
  #timeout(): void {
    this.finish(endWith(Code.DEADLINE_EXCEEDED, "the deadline has passed"));
  }

  static expire(stream: OutgoingStream): void {
    stream.#timeout();
  }

  #onHeaders(headers: IncomingHttpHeaders, isEnd: boolean): void {
    if (this.#isOver) return;
    this.#status = headers[":status"] as number | undefined;
    if (isEnd) {
      this.#end = endOfTrailers(headers) ?? endOfHttp(this.#status);
      this.finish(this.#end);
    } else if (this.#status === 200) {
      this.#listener.onHeaders(headers);
      for (const piece of this.#early ?? []) this.#onData(piece);
      this.#early = undefined;
    }
    // What is no answer of gRPC has a body that nobody wants.
    else this.finish(endOfTrailers(headers) ?? endOfHttp(this.#status));
  }

  #onData(piece: Buffer): void {
    if (this.#isOver) return;
    if (this.#status === undefined) {
      this.#early ??= [];
      this.#early.push(piece);
      return;
    }
    this.#reader ??= new MessageReader();
    const fault = this.#reader.read(piece, this.#onMessage);
    if (fault !== undefined) this.finish(faultEnds[fault]);
  }

  readonly #onMessage = (message: Buffer): void => {
    if (!this.#isOver) this.#listener.onMessage(message);
  };

  #onTrailers(trailers: IncomingHttpHeaders): void {
    if (this.#isOver) return;
    this.#end = endOfTrailers(trailers) ?? endOfHttp(this.#status);
    // Messages that have come already may still be on their way to a reader that is slow.
    const stream = this.#stream as ClientHttp2Stream;
    if (stream.readableLength === 0 && !this.#isPaused) this.#complete(this.#end);
    else stream.once("end", () => this.#complete(this.#end as CallEnd));
  }

  #complete(end: CallEnd): void {
    const isCut = end.code === statusOk && this.#reader?.isWithin === true;
    this.finish(isCut ? endWith(Code.INTERNAL, "the last message is not whole") : end);
  }

  #onClose(code: number | undefined, { isUnseen, isGone }: { isUnseen: boolean; isGone: boolean }): void {
    const mayRepeat = this.#status === undefined && (isUnseen || code === NGHTTP2_REFUSED_STREAM);
    if (this.#end !== undefined) this.#complete(this.#end);
    // The timer may be late where the peer's is not.
    else if (Date.now() >= this.#request.deadlineMs) this.#timeout();
    // A server that is there and refuses means it: one more try is enough.
    else if (mayRepeat && this.#repeats < (isGone ? maxRepeats : 1)) {
      this.#repeats++;
      this.#stream = undefined;
      this.#channel.start(this);
    } else this.finish(isGone ? endWith(Code.UNAVAILABLE, "the connection was lost") : endOfReset(code));
  }
}

const faultEnds: Record<Fault, CallEnd> = {
  compressed: endWith(Code.INTERNAL, "the message is compressed, which nobody asked for"),
  "too large": endWith(Code.RESOURCE_EXHAUSTED, "the message is larger than the limit"),
};

/** grpc-timeout: at most eight digits and a unit. */
function timeoutText(deadlineMs: number): string {
  const remainingMs = Math.max(1, Math.ceil(deadlineMs - Date.now()));
  return remainingMs < 1e8 ? `${remainingMs}m` : `${Math.ceil(remainingMs / 1000)}S`;
}

const timeout = (stream: OutgoingStream): void => OutgoingStream.expire(stream);
function ignore(): void {}
