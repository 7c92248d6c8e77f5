import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { processes } from "../topology.ts";
import { repositoryRoot } from "./home.ts";

/** A program that loads modules and ends; what they were compiled to is left in Node's compile cache. */
const loadAll = `
  const { flushCompileCache } = await import("node:module");
  await Promise.all(process.argv.slice(1).map((module) => import(module)));
  flushCompileCache();
  process.exit();
`;

/**
 * Compiles what the processes load, all of it in one program, while the parts start: a process that finds its code in
 * the cache is up sooner, and does without the compiler for TypeScript, which is 15 MiB that it would keep. Never
 * fails: what is not compiled now is compiled by whom it concerns. The signal ends it.
 */
export async function compileAhead(compileCache: string, signal: AbortSignal): Promise<void> {
  const modules = Object.values(processes).flatMap(({ entry }) => importsOf(entry));
  await promisify(execFile)(process.execPath, ["--input-type=module", "-e", loadAll, ...new Set(modules)], {
    cwd: repositoryRoot,
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
    timeout: 60_000,
    signal,
  }).catch(() => {});
}

/** What an entry file imports: to load that runs nothing. */
function importsOf(entry: string): string[] {
  const file = new URL(`../../${entry}`, import.meta.url);
  const specifiers = [...readFileSync(file, "utf8").matchAll(/^import .* from "([.#][^"]+)";$/gm)];
  return specifiers.map(([, specifier = ""]) =>
    specifier.startsWith("#") ? specifier : new URL(specifier, file).href,
  );
}
