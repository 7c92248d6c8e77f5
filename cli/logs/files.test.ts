import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { logFiles } from "./files.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-logs-"));
  for (const file of ["envoy.log", "task-1.error.log", "task-1.log", "task-1.log.1"])
    await writeFile(join(folder, file), "");
});
afterEach(() => rm(folder, { recursive: true }));

it("finds the log of each instance, and none that rotation keeps", async () => {
  expect(await logFiles(folder)).toEqual([
    { name: "envoy", path: join(folder, "envoy.log"), errorsOnly: false },
    { name: "task-1", path: join(folder, "task-1.log"), errorsOnly: false },
  ]);
});

it("takes the log of errors where there is one", async () => {
  expect((await logFiles(folder, { errors: true })).map(({ name, errorsOnly }) => [name, errorsOnly])).toEqual([
    ["envoy", false],
    ["task-1", true],
  ]);
});

it("has nothing to say of a folder that is not there", async () => {
  expect(await logFiles(join(folder, "absent"))).toEqual([]);
});
