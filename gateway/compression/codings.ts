import { promisify } from "node:util";
import {
  brotliCompress,
  brotliCompressSync,
  brotliDecompress,
  brotliDecompressSync,
  constants,
  gunzip,
  gunzipSync,
  gzip,
  gzipSync,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib";
import { bodyTooLarge, malformedRequest } from "../errors/edge-error.ts";
import type { CodingName } from "./accepted.ts";

/** A content coding (RFC 9110, section 8.4.1), for whole messages. */
export interface Coding {
  readonly name: CodingName;
  compress(bytes: Uint8Array): Promise<Buffer>;
  /** `limit` bounds the result, in bytes, and with it the memory. Throws RESOURCE_EXHAUSTED or INVALID_ARGUMENT. */
  decompress(bytes: Uint8Array, limit: number): Promise<Buffer>;
}

// A thread of the pool costs 0.2 ms: more than it takes to compress what is shorter than this.
const longestAtOnce = 64 * 1024;
const longestUnpackedAtOnce = 16 * 1024;

type Result = { buffer: Buffer; engine: { bytesWritten: number } };
type Both = {
  now: (bytes: Uint8Array, options: object) => Buffer;
  later: (bytes: Uint8Array, options: object) => Promise<Buffer>;
  options: object;
};

function coding(name: CodingName, pack: Both, unpack: Both): Coding {
  return {
    name,
    compress: async (bytes) =>
      bytes.length <= longestAtOnce ? pack.now(bytes, pack.options) : pack.later(bytes, pack.options),
    decompress: async (bytes, limit) => {
      // What was packed from nothing may be sent as nothing.
      if (bytes.length === 0) return Buffer.alloc(0);
      // zlib takes no limit of 0.
      const options = { ...unpack.options, info: true, maxOutputLength: Math.max(1, limit) };
      const run = bytes.length <= longestUnpackedAtOnce ? unpack.now : unpack.later;
      let result: Result;
      try {
        result = (await run(bytes, options)) as unknown as Result;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw bodyTooLarge(limit);
        throw malformedRequest(`the body is not well-formed ${name}`);
      }
      // zlib ignores what follows the end of brotli and zstd.
      if (result.engine.bytesWritten !== bytes.length) throw malformedRequest(`the body is not well-formed ${name}`);
      return result.buffer;
    },
  };
}

const zstd = coding(
  "zstd",
  { now: zstdCompressSync, later: promisify(zstdCompress), options: {} },
  {
    now: zstdDecompressSync,
    later: promisify(zstdDecompress),
    // RFC 9659: a window of at most 8 MiB. A frame may ask for 128 MiB of memory otherwise.
    options: { params: { [constants.ZSTD_d_windowLogMax]: 23 } },
  },
);

const br = coding(
  "br",
  {
    now: brotliCompressSync,
    later: promisify(brotliCompress),
    // The default of 11 takes a hundred times as long, for a quarter less.
    options: { params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 18 } },
  },
  { now: brotliDecompressSync, later: promisify(brotliDecompress), options: {} },
);

const gz = coding(
  "gzip",
  { now: gzipSync, later: promisify(gzip), options: {} },
  { now: gunzipSync, later: promisify(gunzip), options: {} },
);

/** Best first: by CPU time and size for answers of 1 to 64 KiB. */
export const codings: readonly Coding[] = [zstd, br, gz];

/** The coding of that name (RFC 9110: in any case, and "x-gzip" is gzip); undefined when it is not known here. */
export function codingOf(name: string): Coding | undefined {
  const lower = name.trim().toLowerCase();
  return codings.find((known) => known.name === (lower === "x-gzip" ? "gzip" : lower));
}
