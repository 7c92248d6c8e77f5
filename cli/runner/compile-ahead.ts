import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { processes } from "../topology.ts";
import { repositoryRoot } from "./home.ts";

/**
 * A program that loads modules and ends; what they were compiled to is left in Node's compile cache. The entries are
 * compiled but not run: their graph is fetched whole before any of it is evaluated, and what is evaluated first throws.
 */
const loadAll = `
  const { flushCompileCache } = await import("node:module");
  const { modules, entries } = JSON.parse(process.argv[1]);
  await Promise.all(modules.map((module) => import(module)));
  const graph = ["data:text/javascript,throw 0", ...entries].map((module) => "import " + JSON.stringify(module) + ";");
  await import("data:text/javascript," + encodeURIComponent(graph.join(""))).catch(() => {});
  flushCompileCache();
  process.exit();
`;

/** What a process loads only when it is told where telemetry goes, or when somebody asks for it. */
const loadedLater = [
  "#observability/propagation.ts",
  "#observability/metrics-sdk.ts",
  "#observability/traces-sdk.ts",
  new URL("../../services/task/domain/todoist/import-plan.ts", import.meta.url).href,
];

/**
 * Compiles what the processes load, all of it in one program, while the parts start: a process that finds its code in
 * the cache is up sooner, and does without the compiler for TypeScript, which is 15 MiB that it would keep. Never
 * fails: what is not compiled now is compiled by whom it concerns. The signal ends it.
 */
export async function compileAhead(compileCache: string, signal: AbortSignal): Promise<void> {
  const entries = ["observability/register.ts", ...Object.values(processes).map(({ entry }) => entry)].map(urlOf);
  const modules = [...new Set([...entries.flatMap(importsOf), ...loadedLater])];
  const program = ["--input-type=module", "-e", loadAll, JSON.stringify({ modules, entries })];
  await promisify(execFile)(process.execPath, program, {
    cwd: repositoryRoot,
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
    timeout: 60_000,
    signal,
  }).catch(() => {});
}

function urlOf(entry: string): string {
  return new URL(`../../${entry}`, import.meta.url).href;
}

/** What an entry file imports: to load that runs nothing. */
function importsOf(entry: string): string[] {
  const specifiers = [...readFileSync(new URL(entry), "utf8").matchAll(/^import .* from "([.#][^"]+)";$/gm)];
  return specifiers.map(([, specifier = ""]) =>
    specifier.startsWith("#") ? specifier : new URL(specifier, entry).href,
  );
}
