import type { Socket } from "node:net";
import type { Toxics } from "./toxics.ts";

/** So much is held for a slow lane before its sender has to wait. */
const heldBytes = 256 * 1024;

interface Held {
  data: Buffer;
  due: number;
}

/** One direction of a connection: data leave in their order, each piece when it is due, and then the end. */
export class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  #toxics: Toxics = {};
  #held: Held[] = [];
  #bytes = 0;
  #ended = false;
  #mayLeaveAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    from.on("data", (data) => this.#take(data));
    from.on("end", () => {
      this.#ended = true;
      this.#flow();
    });
    to.on("drain", () => this.#flow());
    to.on("close", () => this.stop());
  }

  /** Holds for what comes from now on, and for what is held. */
  poison(toxics: Toxics): void {
    this.#toxics = toxics;
    if ((toxics.latencyMs ?? 0) === 0) for (const held of this.#held) held.due = 0;
    if (toxics.bytesPerSecond === undefined) this.#mayLeaveAt = 0;
    this.#flow();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#held = [];
    this.#bytes = 0;
    this.#ended = false;
    // One that is not read would never be seen to end.
    this.#from.resume();
  }

  #take(data: Buffer): void {
    if (this.#to.destroyed) return;
    const { latencyMs = 0, jitterMs = 0 } = this.#toxics;
    const late = latencyMs + (jitterMs > 0 ? (2 * Math.random() - 1) * jitterMs : 0);
    this.#held.push({ data, due: late > 0 ? performance.now() + late : 0 });
    this.#bytes += data.length;
    if (this.#bytes > heldBytes) this.#from.pause();
    this.#flow();
  }

  /** Lets go of what is due, as long as the other side takes it. */
  #flow(): void {
    clearTimeout(this.#timer);
    if (this.#toxics.cut !== undefined || this.#to.destroyed) return;
    while (this.#held.length > 0 && !this.#to.writableNeedDrain) {
      const wait = Math.max(this.#mayLeaveAt, this.#held[0]?.due ?? 0) - performance.now();
      if (wait > 0) {
        this.#later(wait);
        return;
      }
      this.#release();
    }
    if (this.#held.length === 0 && this.#ended) this.#end();
  }

  #release(): void {
    const { bytesPerSecond } = this.#toxics;
    const first = this.#held[0] as Held;
    // A tenth of a second's worth at a time, so that a slow line trickles.
    const most = bytesPerSecond === undefined ? first.data.length : Math.max(1, Math.round(bytesPerSecond / 10));
    const data = first.data.subarray(0, most);
    if (data.length === first.data.length) this.#held.shift();
    else first.data = first.data.subarray(most);
    if (bytesPerSecond !== undefined) this.#mayLeaveAt = performance.now() + (data.length / bytesPerSecond) * 1000;
    this.#bytes -= data.length;
    if (this.#bytes <= heldBytes && this.#from.isPaused()) this.#from.resume();
    this.#to.write(data);
  }

  #end(): void {
    this.#ended = false;
    const { slowCloseMs = 0 } = this.#toxics;
    if (slowCloseMs > 0) setTimeout(() => this.#to.end(), slowCloseMs).unref();
    else this.#to.end();
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => this.#flow(), ms);
    this.#timer.unref();
  }
}
