import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, inject, it } from "vitest";

const script = fileURLToPath(new URL("./away-process.ts", import.meta.url));

async function answers(mutant?: string): Promise<Record<string, string>> {
  const hook = mutant === undefined ? [] : ["--import", new URL(`./mutants/${mutant}.ts`, import.meta.url).href];
  const { stdout } = await promisify(execFile)(process.execPath, [...hook, script, inject("postgres")]);
  return JSON.parse(stdout);
}

const away = "UNAVAILABLE, come back";
const promised = {
  well: "OK",
  slow: "DEADLINE_EXCEEDED",
  exhausted: away,
  hanging: away,
  refusing: away,
  back: "OK",
};

describe("a call that needs the database", () => {
  it.concurrent("is told to come back when it cannot be had, and that its time is over when its own work is slow", async ({
    expect,
  }) => {
    expect(await answers()).toEqual(promised);
  });

  it.concurrent("the proof turns red when nobody tells one from the other", async ({ expect }) => {
    expect(await answers("impatient")).toEqual({
      ...promised,
      exhausted: "DEADLINE_EXCEEDED",
      hanging: "DEADLINE_EXCEEDED",
    });
  });

  it.concurrent("the proof turns red when a database that is away is an internal error", async ({ expect }) => {
    expect(await answers("everything-internal")).toEqual({ ...promised, refusing: "INTERNAL" });
  });
});
