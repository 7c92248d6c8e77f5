import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";

const connectTimeoutMs = 5_000;
/** A connection that was lost sooner than this was hardly worth making. A few may follow each other without a wait. */
const soundMs = 1_000;
const maxHasty = 5;
const firstBackoffMs = 100;
const backoffGrowth = 2;
/** grpc-node#2620 is about what happens without this bound: a restart of the other side is noticed 20 s late. */
const maxBackoffMs = 2_000;
const pingEveryMs = 30_000;
const pingTimeoutMs = 5_000;

const sessionOptions = {
  settings: { enablePush: false },
  // Node would refuse streams of its own accord at 10 MB; the calls under way are bounded by those who make them.
  maxSessionMemory: 1024,
};
// For all streams of a connection together: one whose reader is slow must not stop the others.
const connectionWindow = 16 * 1024 * 1024;

export type ConnectionState = "idle" | "connecting" | "ready" | "waiting" | "closed";

/**
 * One HTTP/2 connection to an address, made anew when it is lost: at once, then after 100 ms and more, up to 2 s. When the
 * other side says that it is going (GOAWAY), calls under way end on the old connection and new ones go to another.
 */
export class Connection {
  readonly #address: string;
  readonly #onChange: (connection: Connection) => void;
  readonly #open = new Set<ClientHttp2Session>();
  /** The last stream that the other side has looked at, of each session that it has given up. */
  readonly #lastSeen = new WeakMap<ClientHttp2Session, number>();
  #state: ConnectionState = "idle";
  #session: ClientHttp2Session | undefined;
  /** How often in a row there was no connection, and how often one that was lost too soon. */
  #failures = 0;
  #hasty = 0;
  #timer: NodeJS.Timeout | undefined;
  #triedAt = 0;
  #lastError: unknown;

  constructor(address: string, onChange: (connection: Connection) => void) {
    this.#address = address;
    this.#onChange = onChange;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Why there is no connection. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /**
   * Somebody wants it: it connects, or tries again as soon as 100 ms have passed since it last tried. Answers whether an
   * attempt is under way or about to be made, so that it is worth waiting for.
   */
  connect(): boolean {
    if (this.#state === "idle") this.#dial();
    else if (this.#state === "waiting" && this.#hasty <= maxHasty) {
      this.#dialIn(Math.max(0, this.#triedAt + firstBackoffMs - performance.now()));
    }
    return this.#state === "connecting" || (this.#state === "waiting" && this.#hasty <= maxHasty);
  }

  /** The address answers, so that there is nothing to wait for; but who keeps dropping us is given time. */
  hurry(): void {
    if (this.#state === "idle" || (this.#state === "waiting" && this.#hasty <= maxHasty)) this.#dial();
  }

  /** A new stream. The state must be "ready"; the stream may fail for all that. */
  request(headers: readonly string[]): ClientHttp2Stream {
    return (this.#session as ClientHttp2Session).request(headers, { endStream: false });
  }

  /** Whether the other side may have looked at a stream: not when it never went out, or GOAWAY left it out. */
  mayHaveSeen({ id }: ClientHttp2Stream, session: ClientHttp2Session | undefined): boolean {
    return id !== undefined && (session === undefined || id <= (this.#lastSeen.get(session) ?? id));
  }

  /** Takes no more calls to this session: it has come to its end, such as that of its stream ids. */
  retire(session: ClientHttp2Session | undefined): void {
    if (session === undefined || session !== this.#session) return;
    session.close();
    this.#lose(session, 0);
  }

  /** Ends everything; calls under way fail. */
  close(): void {
    clearTimeout(this.#timer);
    this.#state = "closed";
    for (const session of this.#open) session.destroy();
  }

  #dialIn(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#dial(), delayMs).unref();
  }

  #dial(): void {
    clearTimeout(this.#timer);
    this.#triedAt = performance.now();
    this.#become("connecting");
    const session = openSession(this.#address);
    this.#session = session;
    this.#open.add(session);
    const giveUp = () => session.destroy(new Error("the connection took too long"));
    const limit = setTimeout(giveUp, connectTimeoutMs).unref();
    let readyAt: number | undefined;
    session.once("remoteSettings", () => {
      clearTimeout(limit);
      if (this.#session !== session) return;
      readyAt = performance.now();
      session.setLocalWindowSize(connectionWindow);
      keepAlive(session);
      this.#become("ready");
    });
    session.on("error", (error) => {
      this.#lastError = error;
    });
    session.once("goaway", (_code, lastStreamId) => {
      this.#lastSeen.set(session, lastStreamId);
      this.#lose(session, readyAt);
    });
    session.once("close", () => {
      clearTimeout(limit);
      this.#open.delete(session);
      this.#lose(session, readyAt);
    });
  }

  #lose(session: ClientHttp2Session, readyAt: number | undefined): void {
    if (this.#session !== session || this.#state === "closed") return;
    this.#session = undefined;
    const delayMs = readyAt === undefined ? backoffMs(++this.#failures) : this.#afterLoss(performance.now() - readyAt);
    if (delayMs === 0) {
      this.#dial();
      return;
    }
    this.#dialIn(delayMs * (0.8 + Math.random() * 0.4));
    this.#become("waiting");
  }

  /** How long to wait after a connection that was there for so long. */
  #afterLoss(lifeMs: number): number {
    this.#failures = 0;
    this.#hasty = lifeMs >= soundMs ? 0 : this.#hasty + 1;
    return this.#hasty > maxHasty ? backoffMs(this.#hasty - maxHasty) : 0;
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#onChange(this);
  }
}

function backoffMs(failures: number): number {
  return Math.min(firstBackoffMs * backoffGrowth ** (failures - 1), maxBackoffMs);
}

function openSession(address: string): ClientHttp2Session {
  const path = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
  const session =
    path === undefined
      ? connect(`http://${address}`, sessionOptions)
      : connect("http://localhost", { ...sessionOptions, path } as typeof sessionOptions);
  // A connection alone keeps no process alive; the timer of a call does.
  session.unref();
  return session;
}

/** Finds a peer that has gone without a word. */
function keepAlive(session: ClientHttp2Session): void {
  const timer = setInterval(() => {
    const limit = setTimeout(() => session.destroy(new Error("the other side is silent")), pingTimeoutMs).unref();
    if (!session.destroyed) session.ping(() => clearTimeout(limit));
  }, pingEveryMs).unref();
  session.once("close", () => clearInterval(timer));
}
