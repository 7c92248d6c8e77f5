/** Answers that are larger end with RESOURCE_EXHAUSTED: a list of a thousand tasks fits well. */
export const maxReceiveBytes = 8 * 1024 * 1024;

/** The bytes before each message of gRPC, gRPC-Web and Connect streams: a byte of flags, and the length in four. */
export const framePrefix = 5;

/** A message in a frame, not compressed. */
export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(framePrefix + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, framePrefix);
  return frame;
}

export type Fault = "compressed" | "too large";

/** Puts messages together out of the pieces in which they arrive. */
export class MessageReader {
  #pieces: Buffer[] = [];
  #length = 0;
  /** How many bytes are wanted before there is anything to do. */
  #wanted = framePrefix;

  /** Whether a message has come only in part. */
  get isWithin(): boolean {
    return this.#length > 0;
  }

  /** Hands on each message that the piece completes. Answers with what is wrong, if anything. */
  read(piece: Buffer, onMessage: (message: Buffer) => void): Fault | undefined {
    let bytes = piece;
    if (this.#length > 0) {
      this.#keep(piece);
      if (this.#length < this.#wanted) return undefined;
      bytes = Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.#length = 0;
    }
    while (bytes.length >= framePrefix) {
      if (bytes[0] !== 0) return "compressed";
      const size = bytes.readUInt32BE(1);
      if (size > maxReceiveBytes) return "too large";
      this.#wanted = framePrefix + size;
      if (bytes.length < this.#wanted) break;
      onMessage(bytes.subarray(framePrefix, this.#wanted));
      bytes = bytes.subarray(this.#wanted);
      this.#wanted = framePrefix;
    }
    if (bytes.length > 0) this.#keep(bytes);
    return undefined;
  }

  #keep(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
  }
}
