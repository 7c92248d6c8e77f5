import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Lane } from "./lane.ts";
import type { Toxics } from "./toxics.ts";

const host = "127.0.0.1";
const resetWithinMs = 1000;

/** A TCP proxy before one port of the loopback address, by which a fault reaches every connection to it, old or new. */
export class Front {
  readonly port: number;
  readonly #upstreamPort: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #toxics: Toxics = {};
  #changing: Promise<void> = Promise.resolve();

  private constructor(port: number, upstreamPort: number) {
    this.port = port;
    this.#upstreamPort = upstreamPort;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  /** Listens on the port for what listens, or will listen, on the other. */
  static async open(port: number, upstreamPort: number): Promise<Front> {
    const front = new Front(port, upstreamPort);
    await front.#listen();
    return front;
  }

  /** How many connections go through it. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** From now on it does this, and only this, to its connections; `{}` heals. One change after the other. */
  poison(toxics: Toxics): Promise<void> {
    const change = this.#changing.then(() => this.#poison(toxics));
    this.#changing = change.catch(() => {});
    return change;
  }

  async #poison(toxics: Toxics): Promise<void> {
    this.#toxics = toxics;
    if (toxics.cut === "refuse") {
      const closed = this.#close();
      for (const pair of this.#pairs) pair.reset();
      await closed;
      return;
    }
    if (!this.#server.listening) await this.#listen();
    for (const pair of this.#pairs) this.#infect(pair);
  }

  async close(): Promise<void> {
    const closed = this.#close();
    for (const pair of this.#pairs) pair.reset();
    await closed;
  }

  async #listen(): Promise<void> {
    this.#server.listen({ port: this.port, host, exclusive: true });
    await once(this.#server, "listening");
  }

  #close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket): void {
    if (this.#toxics.cut === "refuse") {
      client.resetAndDestroy();
      return;
    }
    const pair = new Pair(client, connect({ port: this.#upstreamPort, host, allowHalfOpen: true, noDelay: true }));
    this.#pairs.add(pair);
    pair.ended.then(() => this.#pairs.delete(pair));
    this.#infect(pair);
  }

  #infect(pair: Pair): void {
    const { resetShare = 0 } = this.#toxics;
    pair.poison(this.#toxics);
    if (Math.random() < resetShare) setTimeout(() => pair.reset(), Math.random() * resetWithinMs).unref();
  }
}

/** A client's connection and the one made for it. */
class Pair {
  readonly #sockets: readonly [Socket, Socket];
  readonly #lanes: readonly [Lane, Lane];
  readonly ended: Promise<unknown>;

  constructor(client: Socket, upstream: Socket) {
    this.#sockets = [client, upstream];
    this.#lanes = [new Lane(client, upstream), new Lane(upstream, client)];
    for (const socket of this.#sockets) socket.on("error", () => this.reset());
    this.ended = Promise.all(
      this.#sockets.map((socket) => new Promise<void>((resolve) => socket.once("close", () => resolve()))),
    );
  }

  poison(toxics: Toxics): void {
    for (const lane of this.#lanes) lane.poison(toxics);
  }

  /** Both sides see a reset, as when a peer has gone without a word. */
  reset(): void {
    for (const lane of this.#lanes) lane.stop();
    for (const socket of this.#sockets) {
      // One whose end is on its way can no longer be reset: the try would leave it open for good.
      if (socket.writableEnded) socket.destroy();
      else if (!socket.destroyed) socket.resetAndDestroy();
    }
  }
}
