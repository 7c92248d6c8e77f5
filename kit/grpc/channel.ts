import { Code } from "../errors.ts";
import { Breakers } from "./breaker.ts";
import { endWith } from "./call-end.ts";
import { Connection } from "./connection.ts";
import type { OutgoingStream } from "./outgoing-stream.ts";

/**
 * The way into the mesh: one address for all services ("host:port", or "unix:" and a path), over a few connections for
 * the life of the process. With two of them a call finds one while the other is being made anew.
 */
export class MeshChannel {
  readonly address: string;
  /** What a request says of where it goes. */
  readonly authority: string;
  /** Of the RPCs that are called this way. */
  readonly breakers = new Breakers();
  readonly #connections: Connection[];
  #waiting = new Set<OutgoingStream>();
  #next = 0;
  #closed = false;

  constructor(address: string, options: { connections?: number } = {}) {
    this.address = address;
    this.authority = address.startsWith("unix:") ? "localhost" : address;
    const count = options.connections ?? 2;
    this.#connections = Array.from(
      { length: count },
      () => new Connection(address, (changed) => this.#changed(changed)),
    );
  }

  /** Sends a call out, as soon as there is a connection. It ends with UNAVAILABLE when an attempt to make one has failed. */
  start(stream: OutgoingStream): void {
    this.#send(stream);
  }

  /** Forgets a call that has not been sent yet. */
  forget(stream: OutgoingStream): void {
    this.#waiting.delete(stream);
  }

  /** Ends all connections; calls under way fail. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.close();
    this.#refuse("this process is closing");
  }

  #send(stream: OutgoingStream): void {
    const connection = this.#pick();
    if (this.#closed) stream.finish(endWith(Code.UNAVAILABLE, "this process is closing"));
    else if (connection !== undefined) stream.open(connection);
    else {
      this.#waiting.add(stream);
      const hopes = this.#connections.filter((wanted) => wanted.connect());
      if (hopes.length === 0) this.#refuseIfAway();
    }
  }

  /** A connection that is there: one after the other. */
  #pick(): Connection | undefined {
    const { length } = this.#connections;
    for (let tried = 0; tried < length; tried++) {
      this.#next = (this.#next + 1) % length;
      const connection = this.#connections[this.#next] as Connection;
      if (connection.state === "ready") return connection;
    }
    return undefined;
  }

  #changed({ state }: Connection): void {
    if (state === "waiting") this.#refuseIfAway();
    if (state !== "ready") return;
    // One address for all: where one connection succeeds, the others need not wait.
    for (const connection of this.#connections) connection.hurry();
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const stream of waiting) this.#send(stream);
  }

  /** Nobody is waited for while no connection is even being tried. */
  #refuseIfAway(): void {
    if (this.#connections.some(({ state }) => state === "connecting" || state === "ready")) return;
    const [{ lastError } = {}] = this.#connections;
    this.#refuse(lastError instanceof Error ? lastError.message : "there is no connection");
  }

  #refuse(details: string): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const stream of waiting) stream.finish(endWith(Code.UNAVAILABLE, details));
  }
}
