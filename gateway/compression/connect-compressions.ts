import type { Compression } from "@connectrpc/connect/protocol";
import { codings } from "./codings.ts";

/** Shorter messages gain nothing: their frame and the time cost more. In bytes. */
export const leastCompressed = 1024;

/** The same codings for the messages of Connect, gRPC and gRPC-Web. */
export const connectCompressions: Compression[] = codings.map(({ name, compress, decompress }) => ({
  name,
  compress: async (bytes) => new Uint8Array(await compress(bytes)),
  decompress: async (bytes, limit) => new Uint8Array(await decompress(bytes, limit)),
}));
