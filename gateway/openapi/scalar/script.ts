import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const program = fileURLToPath(new URL("print-script.ts", import.meta.url));
const maxBytes = 8 * 1024 * 1024;

let made: Promise<Buffer> | undefined;

/** Scalar's script out of its package, by gzip: made when somebody asks for it first, and kept in that form alone. */
export function scalarScript(): Promise<Buffer> {
  made ??= print().catch((error: unknown) => {
    made = undefined;
    throw error;
  });
  return made;
}

async function print(): Promise<Buffer> {
  const options = { encoding: "buffer", maxBuffer: maxBytes, timeout: 30_000 } as const;
  const { stdout } = await promisify(execFile)(process.execPath, [program], options);
  return stdout;
}
