import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tryLock } from "./lock-file.ts";
import { rotateLogs } from "./log-rotation.ts";
import { fillCache } from "./parts/cache.ts";
import { startTimeOf } from "./process-table.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-lock-"));
  process.env.TASKMESH_CACHE = folder;
});

afterEach(async () => {
  delete process.env.TASKMESH_CACHE;
  await rm(folder, { recursive: true, force: true });
});

test("a lock has one holder at a time", async () => {
  const path = join(folder, "lock");
  const release = await tryLock(path);
  expect(await tryLock(path)).toBeUndefined();
  await release?.();
  expect(await tryLock(path)).toBeDefined();
});

test("a lock whose holder was killed is taken over", async () => {
  const path = join(folder, "lock");
  const holder = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  const pid = holder.pid as number;
  await writeFile(path, `${pid} ${await startTimeOf(pid)}`);
  expect(await tryLock(path)).toBeUndefined();
  holder.kill("SIGKILL");
  await once(holder, "exit");
  expect(await tryLock(path)).toBeDefined();
});

test("a fetched part is filled once by any number of starts, and not at all by one that fails", async () => {
  let fills = 0;
  const fill = async (draft: string) => {
    fills++;
    await writeFile(join(draft, "program"), "whole");
  };
  await expect(
    fillCache("part-1", async (draft) => {
      await writeFile(join(draft, "program"), "half");
      throw new Error("no network");
    }),
  ).rejects.toThrow("no network");
  const paths = await Promise.all([fillCache("part-1", fill), fillCache("part-1", fill), fillCache("part-1", fill)]);
  expect(fills).toBe(1);
  expect(await readFile(join(paths[0] as string, "program"), "utf8")).toBe("whole");
});

test("a long log is moved aside once, and the program writes on in the same file", async () => {
  await writeFile(join(folder, "task-1.log"), "x".repeat(100));
  await writeFile(join(folder, "user-1.log"), "short");
  await rotateLogs(folder, 50);
  expect(await readFile(join(folder, "task-1.log"), "utf8")).toBe("");
  expect(await readFile(join(folder, "task-1.log.1"), "utf8")).toHaveLength(100);
  expect(await readFile(join(folder, "user-1.log"), "utf8")).toBe("short");
});
