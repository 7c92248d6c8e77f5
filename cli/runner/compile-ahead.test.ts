import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { processes } from "../topology.ts";
import { compileAhead } from "./compile-ahead.ts";
import { repositoryRoot } from "./home.ts";

const compileCache = mkdtempSync(join(tmpdir(), "compiled-"));
const entries = Object.values(processes).map(({ entry }) => entry);

beforeAll(() => compileAhead(compileCache, AbortSignal.timeout(60_000)), 60_000);
afterAll(() => rmSync(compileCache, { recursive: true }));

/** What Node says of its cache while a process starts whose settings are missing or wrong: it ends once all of it is loaded. */
function sourcesRead(entry: string): string[] {
  const telemetry = ["--import", "./observability/register.ts"];
  const { stdout, stderr } = spawnSync(process.execPath, [...telemetry, entry], {
    cwd: repositoryRoot,
    env: {
      PATH: process.env.PATH,
      SMTP_PORT: "none",
      NODE_DEBUG_NATIVE: "COMPILE_CACHE",
      NODE_COMPILE_CACHE: compileCache,
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
    },
    encoding: "utf8",
  });
  return (stdout + stderr).split("\n").filter((line) => line.includes("reading cache") && line.includes("TypeScript"));
}

describe("what is compiled ahead", () => {
  it.each(entries)("is everything that %s is started with: it never needs the compiler for TypeScript", (entry) => {
    const read = sourcesRead(entry);
    expect(read.some((line) => line.includes(entry))).toBe(true);
    expect(read.filter((line) => !line.includes("... success"))).toEqual([]);
  });
});
