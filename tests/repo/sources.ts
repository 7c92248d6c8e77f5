import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Source {
  path: string;
  text: string;
  lines: number;
  /** What it imports, as written. */
  imports: string[];
}

const importPattern = /(?:^|\n)\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?\s*"([^"]+)"|\bimport\("([^"]+)"\)/g;

/** Every file of the repository that git tracks or would track, and that exists. */
export function repositoryFiles(): string[] {
  const list = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "--deduplicate"], { encoding: "utf8" });
  const deleted = new Set(execFileSync("git", ["ls-files", "-d"], { encoding: "utf8" }).split("\n"));
  return list.split("\n").filter((path) => path !== "" && !deleted.has(path));
}

/** The TypeScript sources of the repository. */
export function typescriptSources(): Source[] {
  return repositoryFiles()
    .filter((path) => /\.(ts|mjs)$/.test(path) && !path.startsWith("proto/"))
    .map((path) => {
      const text = readFileSync(path, "utf8");
      const imports = [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? "");
      return { path, text, lines: text.split("\n").length - 1, imports };
    });
}

export const isTest = (path: string): boolean => path.startsWith("tests/") || path.endsWith(".test.ts");
