import { connect as connectTcp, type Socket } from "node:net";

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const frameHead = 9;

export const frameTypes = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  continuation: 9,
} as const;
export const endStream = 0x1;
export const endHeaders = 0x4;

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** One frame of RFC 9113, section 4.1. */
export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(frameHead);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of literals without indexing (RFC 7541, section 6.2.2): names and values go out as they are. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

function integer(value: number, prefixBits: number): Buffer {
  const most = (1 << prefixBits) - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

/** HTTP/2 without TLS, frame by frame: what no client library would send. */
export class RawHttp2 {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  /** Resolves once the other side has closed. */
  readonly closed: Promise<void>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(port: number, host = "127.0.0.1") {
    this.socket = connectTcp({ host, port });
    this.closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk) => this.#take(chunk));
    this.socket.write(preface);
    this.socket.write(frame(frameTypes.settings, 0, 0));
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= frameHead) {
      const end = frameHead + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      const [type = 0, flags = 0] = this.#rest.subarray(3, 5);
      const stream = this.#rest.readUInt32BE(5) & 0x7fffffff;
      this.frames.push({ type, flags, stream, payload: this.#rest.subarray(frameHead, end) });
      if (type === frameTypes.settings && (flags & 1) === 0) this.socket.write(frame(frameTypes.settings, 1, 0));
      this.#rest = this.#rest.subarray(end);
    }
  }

  /** Sends one request without a body. */
  request(stream: number, fields: readonly (readonly [string, string])[]): void {
    this.socket.write(frame(frameTypes.headers, endStream | endHeaders, stream, headerBlock(fields)));
  }

  /** Whether the stream was ended by the other side, in whatever way, or the connection is gone. */
  isOver(stream: number): boolean {
    if (this.socket.destroyed) return true;
    return this.frames.some(
      ({ type, flags, stream: of }) =>
        type === frameTypes.goaway ||
        (of === stream && (type === frameTypes.rstStream || (type <= 1 && (flags & endStream) !== 0))),
    );
  }

  close(): void {
    this.socket.destroy();
  }
}
