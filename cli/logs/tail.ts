import { type FileHandle, open } from "node:fs/promises";

const newline = 0x0a;
const blockBytes = 256 * 1024;

/** Reads a log from the end and then follows it, past the cuts of rotation. */
export class Tail {
  readonly name: string;
  readonly #path: string;
  readonly #file: FileHandle;
  #offset = 0;

  private constructor(name: string, path: string, file: FileHandle) {
    this.name = name;
    this.#path = path;
    this.#file = file;
  }

  static async open(name: string, path: string): Promise<Tail> {
    return new Tail(name, path, await open(path));
  }

  /** The last lines that are wanted, oldest first: the file is read backwards until there are enough. */
  async last(count: number, isWanted: (line: string) => boolean): Promise<string[]> {
    const { size } = await this.#file.stat();
    const end = await this.#endOfLastLine(size);
    this.#offset = end;
    const found: string[] = [];
    let pending = Buffer.alloc(0);
    for (let position = end; position > 0 && found.length < count; ) {
      const start = Math.max(0, position - blockBytes);
      const block = Buffer.concat([await this.#read(start, position), pending]);
      const firstLine = start === 0 ? 0 : block.indexOf(newline) + 1;
      pending = block.subarray(0, firstLine);
      const lines = block.toString("utf8", firstLine).split("\n").filter(Boolean);
      found.unshift(...lines.filter(isWanted));
      position = start;
    }
    return count === 0 ? [] : found.slice(-count);
  }

  /** What was added since, in whole lines. */
  async added(): Promise<string[]> {
    const { size } = await this.#file.stat();
    if (size >= this.#offset) return this.#addedUntil(size);
    const missed = await this.#restOfFormer();
    this.#offset = 0;
    return [...missed, ...(await this.#addedUntil(size))];
  }

  async #addedUntil(size: number): Promise<string[]> {
    const bytes = await this.#read(this.#offset, size);
    const end = bytes.lastIndexOf(newline) + 1;
    this.#offset += end;
    return bytes.toString("utf8", 0, end).split("\n").slice(0, -1);
  }

  /** What was written before the cut and not yet read: rotation keeps a copy of the whole. */
  async #restOfFormer(): Promise<string[]> {
    const former = await open(`${this.#path}.1`).catch(() => undefined);
    if (former === undefined) return [];
    try {
      const { size } = await former.stat();
      const bytes = Buffer.alloc(Math.max(0, size - this.#offset));
      const { bytesRead } = await former.read(bytes, 0, bytes.length, this.#offset);
      return bytes.toString("utf8", 0, bytesRead).split("\n").filter(Boolean);
    } finally {
      await former.close();
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** A line that is still being written counts as added later. */
  async #endOfLastLine(size: number): Promise<number> {
    for (let end = size; end > 0; end -= blockBytes) {
      const start = Math.max(0, end - blockBytes);
      const mark = (await this.#read(start, end)).lastIndexOf(newline);
      if (mark >= 0) return start + mark + 1;
    }
    return 0;
  }

  async #read(start: number, end: number): Promise<Buffer> {
    const buffer = Buffer.alloc(end - start);
    const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, start);
    return buffer.subarray(0, bytesRead);
  }
}
