import { connect, type Socket } from "node:net";

/** What came back over a raw socket until the other side closed it, and how long that took at most does not matter. */
export interface RawAnswer {
  /** Of the first answer; NaN when there was none. */
  status: number;
  text: string;
}

/**
 * Sends bytes as they are over HTTP/1.1 and reads until the other side closes, which Envoy does a second after what it
 * takes for a fault; with `isWhole`, until that says so of what has come.
 */
export function rawHttp(
  port: number,
  bytes: string | Buffer,
  isWhole: (text: string) => boolean = () => false,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(bytes));
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (isWhole(Buffer.concat(chunks).toString("latin1"))) socket.destroy();
    });
    // The other side may close before it has read everything.
    socket.on(
      "error",
      (error: NodeJS.ErrnoException) => /^(ECONNRESET|EPIPE)$/.test(error.code ?? "") || reject(error),
    );
    socket.on("close", () => {
      const text = Buffer.concat(chunks).toString("latin1");
      resolve({ status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1]), text });
    });
  });
}

/** Whether an answer is there with all of the body that its headers tell of. */
export function isOneAnswer(text: string): boolean {
  const [head = "", body] = text.split(/\r\n\r\n(.*)/s);
  const length = /^content-length: (\d+)$/im.exec(head)?.[1];
  return body !== undefined && length !== undefined && body.length >= Number(length);
}

/** A connection that stays open; `from` is the source address. */
export function openSocket(port: number, from = "127.0.0.1"): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, localAddress: from });
    socket.once("connect", () => resolve(socket)).once("error", reject);
  });
}
