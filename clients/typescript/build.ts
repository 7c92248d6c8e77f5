import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const source = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));
const generated = join(root, "proto/gen");
const specifier = /(\bfrom\s*|\bimport\s*\(?\s*)"(\.[^"]+)"/g;
// From the sources the generated code is far away; in the package it lies beside them.
const toGenerated = "../../../proto/gen/";

/** Makes the package in a folder: JavaScript, types, and the generated code that they need. */
export async function buildPackage(folder: string = source): Promise<void> {
  const dist = join(folder, "dist");
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist, { recursive: true });
  await run(join(root, "node_modules/.bin/tsc"), ["--project", source, "--outDir", dist]);
  const modules = new Set<string>();
  for (const name of await readdir(dist)) {
    const path = join(dist, name);
    await writeFile(path, withinPackage(await readFile(path, "utf8"), modules));
  }
  for (const module of modules) await copyGenerated(module, modules, dist);
  await cp(join(root, "LICENSE"), join(folder, "LICENSE"));
  if (folder === source) return;
  for (const name of ["package.json", "README.md"]) await cp(join(source, name), join(folder, name));
}

/** Packs a folder as npm would publish it, and answers with the file's path. */
export async function pack(folder: string, destination: string): Promise<string> {
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", destination];
  const { stdout } = await run("npm", args, { cwd: folder });
  const packed = Object.values(JSON.parse(stdout))[0] as { filename: string };
  return join(destination, packed.filename);
}

/** A module with its imports as they are in the package; notes which generated ones are among them. */
function withinPackage(text: string, modules: Set<string>): string {
  return text.replace(specifier, (_, before: string, path: string) => {
    if (!path.startsWith(toGenerated)) return `${before}"${path.replace(/\.ts$/, ".js")}"`;
    const module = path.slice(toGenerated.length);
    modules.add(module);
    return `${before}"./gen/${module}"`;
  });
}

/** Copies a generated module, and adds those that it imports to the ones to be copied. */
async function copyGenerated(module: string, modules: Set<string>, dist: string): Promise<void> {
  for (const name of [module, module.replace(/\.js$/, ".d.ts")]) {
    const text = await readFile(join(generated, name), "utf8");
    for (const [, , path = ""] of text.matchAll(specifier)) modules.add(posix.join(posix.dirname(module), path));
    const target = join(dist, "gen", name);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
}
