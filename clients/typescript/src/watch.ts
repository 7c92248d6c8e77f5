import { type CallOptions, Code, ConnectError } from "@connectrpc/connect";
import { askedWaitMs, isPassing } from "./errors.ts";
import { pause } from "./waiting.ts";

const firstWaitMs = 200;
const longestWaitMs = 30_000;
const silenceMs = 45_000;

export interface WatchOptions {
  /** Ends the watch: the loop over it throws CANCELLED. */
  signal?: AbortSignal;
  /** Told why the stream is about to be opened again, to show that what is on the screen may be old. */
  onInterruption?: (error: ConnectError) => void;
  /** A connection that brings nothing for so many milliseconds is dead, and given up. The mesh says something every 15 s. */
  silenceMs?: number;
}

type Open<Request, Message> = (request: Request, options?: CallOptions) => AsyncIterable<Message>;

/**
 * The messages of a stream with a cursor, for as long as somebody reads them: whatever becomes of connections, gateways
 * and tokens, each message comes once and in order. It is opened again behind the last cursor after the time that the
 * mesh asks for, or after a random part of a growing one. Throws only what another try cannot mend.
 *
 *     for await (const { change, unreadCount } of watch(mesh.notifications.watchNotifications, {})) show(change, unreadCount);
 */
export async function* watch<Request extends { cursor?: string }, Message extends { cursor: string }>(
  open: Open<Request, Message>,
  request: Request,
  options: WatchOptions = {},
): AsyncGenerator<Message> {
  const signal = options.signal ?? new AbortController().signal;
  let { cursor } = request;
  for (let failures = 0; ; failures++) {
    const alarm = new Alarm(signal, options.silenceMs ?? silenceMs);
    try {
      const messages = open(cursor === undefined ? request : { ...request, cursor }, { signal: alarm.signal });
      for await (const message of unlessSilent(messages, alarm)) {
        failures = 0;
        cursor = message.cursor || cursor;
        yield message;
      }
      return;
    } catch (thrown) {
      const error = alarm.isOver ? silent() : ConnectError.from(thrown);
      if (signal.aborted || !isPassing(error)) throw error;
      options.onInterruption?.(error);
      await pause(waitAfter(failures, error), signal);
    }
  }
}

/** The time that the reader takes over a message is no silence. */
async function* unlessSilent<Message>(messages: AsyncIterable<Message>, alarm: Alarm): AsyncGenerator<Message> {
  alarm.set();
  try {
    for await (const message of messages) {
      alarm.clear();
      yield message;
      alarm.set();
    }
  } finally {
    alarm.clear();
  }
}

/** As long as the mesh asks, but "at once" only once: where nothing has come since, each time is longer. */
function waitAfter(failures: number, error: ConnectError): number {
  const asked = askedWaitMs(error);
  if (asked === undefined) return fullJitter(failures);
  return failures === 0 ? asked : Math.max(asked, fullJitter(failures - 1));
}

/** Whoever was cut off together should not come back together. */
function fullJitter(failures: number): number {
  return Math.random() * Math.min(longestWaitMs, firstWaitMs * 2 ** failures);
}

function silent(): ConnectError {
  return new ConnectError("the stream has gone silent", Code.Unavailable);
}

/** Aborts with the reader's signal, or when nothing has been heard for too long. */
class Alarm {
  readonly #over = new AbortController();
  readonly #silenceMs: number;
  readonly signal: AbortSignal;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(reader: AbortSignal, ms: number) {
    this.#silenceMs = ms;
    this.signal = AbortSignal.any([reader, this.#over.signal]);
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  set(): void {
    this.clear();
    this.#timer = setTimeout(() => this.#over.abort(), this.#silenceMs);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
