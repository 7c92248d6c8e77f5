import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Below the range that systems take for outgoing connections (32768 and up): otherwise a connection could sit on the
 * port of a process that has just died, and keep it from coming back.
 */
const lowest = 20_000;
const highest = 32_000;

/** Picks TCP ports of the loopback address that nobody listens on; `preferred` ones are kept when they are still free. */
export async function pickPorts(count: number, preferred: readonly (number | undefined)[] = []): Promise<number[]> {
  const book = new PortBook();
  const ports: number[] = [];
  for (let index = 0; index < count; index++) ports.push(await book.take(preferred[index]));
  return ports;
}

/** Gives out free ports, none of them twice. */
export class PortBook {
  readonly #taken: Set<number>;

  /** `reserved` ports are never given out, though nobody listens on them yet. */
  constructor(reserved: Iterable<number> = []) {
    this.#taken = new Set(reserved);
  }

  /** The preferred port when it is free, else any. */
  async take(preferred?: number): Promise<number> {
    let port = preferred ?? randomInt(lowest, highest);
    while (this.#taken.has(port) || !(await isPortFree(port))) port = randomInt(lowest, highest);
    this.#taken.add(port);
    return port;
  }
}

/** True when a server could listen on the port now. */
export function isPortFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
