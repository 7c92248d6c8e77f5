import { execFile } from "node:child_process";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createBrotliDecompress } from "node:zlib";
import { type Browser, chromium } from "playwright-core";
import { fillCache } from "../../cli/runner/parts/cache.ts";
import { findOnMachine } from "../../cli/runner/parts/program.ts";

const run = promisify(execFile);
const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const macFolder = "/Applications/Google Chrome.app/Contents/MacOS";

/**
 * A real Chromium without a window: that of CHROMIUM, one of the machine, or the one that comes with
 * @sparticuz/chromium (Linux on x64). With every protection that people have; only its sandbox needs a user who is not
 * root.
 */
export async function launchBrowser(): Promise<Browser> {
  const { path, env } = await locate();
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: path, args, env: { ...process.env, ...env } as Record<string, string> });
}

async function locate(): Promise<{ path: string; env: Record<string, string> }> {
  const given = process.env.CHROMIUM || (await ofMachine());
  if (given) return { path: given, env: {} };
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error("the browser's tests need a Chromium: install one, or name it in CHROMIUM");
  }
  const folder = await unpacked();
  const path = join(folder, "chromium");
  const { stdout } = await run("ldd", [path]);
  // The package brings the libraries that a small machine lacks.
  const env: Record<string, string> = stdout.includes("not found") ? { LD_LIBRARY_PATH: join(folder, "lib") } : {};
  return { path, env };
}

async function ofMachine(): Promise<string | undefined> {
  for (const name of names) {
    const found = await findOnMachine(name);
    if (found) return found;
  }
  return findOnMachine("Google Chrome", [macFolder]);
}

async function unpacked(): Promise<string> {
  const source = new URL("../", import.meta.resolve("@sparticuz/chromium"));
  const { version } = JSON.parse(await readFile(new URL("package.json", source), "utf8")) as { version: string };
  const decompress = (name: string, target: string) => {
    const packed = createReadStream(fileURLToPath(new URL(`bin/${name}`, source)));
    return pipeline(packed, createBrotliDecompress(), createWriteStream(target));
  };
  return fillCache(`chromium-${version}`, async (draft) => {
    await decompress("chromium.br", join(draft, "chromium"));
    await chmod(join(draft, "chromium"), 0o755);
    const libraries = join(draft, "libraries.tar");
    await decompress("al2023.tar.br", libraries);
    await run("tar", ["-xf", libraries, "-C", draft]);
  });
}
