import { connect, type Socket } from "node:net";
import type { Part } from "../health/part.ts";
import type { Lifecycle } from "../lifecycle.ts";

export interface KafkaProbeOptions {
  /** host:port of each bootstrap broker. */
  brokers: readonly string[];
  clientId: string;
  lifecycle: Lifecycle;
}

/** Kafka as a part of a process: there while one of the brokers answers. */
export function kafkaPart({ brokers, clientId, lifecycle }: KafkaProbeOptions): Part {
  const probes = brokers.map((broker) => new BrokerProbe(broker, clientId));
  lifecycle.use("kafka probe", probes, (opened) => opened.forEach((probe) => void probe.close()));
  return { check: (signal) => Promise.any(probes.map((probe) => probe.check(signal))) };
}

const apiVersions = 18;

/**
 * Asks one broker for its versions (ApiVersions v0 of Kafka's protocol), over one connection that is kept. The client
 * libraries retry on their own and for longer than health may take.
 */
class BrokerProbe {
  readonly #host: string;
  readonly #port: number;
  readonly #question: Buffer;
  #socket: Socket | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(broker: string, clientId: string) {
    const colon = broker.lastIndexOf(":");
    this.#host = broker.slice(0, colon).replace(/^\[|\]$/g, "");
    this.#port = Number(broker.slice(colon + 1));
    this.#question = questionOf(clientId);
  }

  async check(signal: AbortSignal): Promise<void> {
    const wasConnected = this.#socket !== undefined;
    try {
      await this.#ask(signal);
    } catch (error) {
      // A connection that was kept may have ended for reasons of its own; a new one tells.
      if (!wasConnected || signal.aborted) throw error;
      await this.#ask(signal);
    }
  }

  close(): void {
    this.#socket?.destroy();
  }

  #ask(signal: AbortSignal): Promise<void> {
    if (this.#waiting !== undefined) return this.#waiting.promise;
    const socket = this.#socket ?? this.#open();
    this.#waiting = Promise.withResolvers();
    // An answer that comes after its question was given up must not be taken for that to the next one.
    const giveUp = () => socket.destroy();
    signal.addEventListener("abort", giveUp, { once: true });
    socket.write(this.#question);
    return this.#waiting.promise.finally(() => signal.removeEventListener("abort", giveUp));
  }

  #open(): Socket {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    this.#socket = socket;
    const settle = (error?: Error) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (error) waiting?.reject(error);
      else waiting?.resolve();
    };
    socket.on("data", () => settle());
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#socket = undefined;
      settle(new Error("the broker does not answer"));
    });
    return socket.unref();
  }
}

/** Length, api key, version, correlation id, client id. */
function questionOf(clientId: string): Buffer {
  const name = Buffer.from(clientId);
  const question = Buffer.alloc(14 + name.length);
  question.writeInt32BE(question.length - 4, 0);
  question.writeInt16BE(apiVersions, 4);
  question.writeInt16BE(0, 6);
  question.writeInt32BE(1, 8);
  question.writeInt16BE(name.length, 12);
  name.copy(question, 14);
  return question;
}
