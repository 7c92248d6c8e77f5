import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

const program = fileURLToPath(new URL("print-script.ts", import.meta.url));
const maxBytes = 8 * 1024 * 1024;

/** Scalar's script out of its package, by gzip. */
export const packedScript = madeOnce(print);

/** The same as it is: for few, but whoever asks for it again and again has it unpacked once. */
export const plainScript = madeOnce(async () => promisify(gunzip)(await packedScript()));

async function print(): Promise<Buffer> {
  const options = { encoding: "buffer", maxBuffer: maxBytes, timeout: 30_000 } as const;
  const { stdout } = await promisify(execFile)(process.execPath, [program], options);
  return stdout;
}

/** Made when somebody asks for it first, and then kept; a failure is not. */
function madeOnce(make: () => Promise<Buffer>): () => Promise<Buffer> {
  let made: Promise<Buffer> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
