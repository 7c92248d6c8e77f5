import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { presentVersion, versionOf } from "./version.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-version-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test("without a folder it is the present files, with the changes of the environment", () => {
  expect(versionOf({ env: { LOG_LEVEL: "debug" } }, ["task"])).toEqual({
    ...presentVersion,
    env: { LOG_LEVEL: "debug" },
  });
});

test("another checkout needs the entry file, its packages and its generated code", async () => {
  expect(() => versionOf({ from: folder }, ["task"])).toThrow(/services\/task\/main\.ts is not in it: give a checkout/);
  await mkdir(join(folder, "services/task"), { recursive: true });
  await writeFile(join(folder, "services/task/main.ts"), "");
  await mkdir(join(folder, "node_modules"));
  expect(() => versionOf({ from: folder }, ["task"])).toThrow(/proto\/gen is not in it/);
  await mkdir(join(folder, "proto/gen"), { recursive: true });
  expect(versionOf({ from: folder }, ["task"])).toEqual({ folder, node: process.execPath, env: {} });
});

test("what an instance is and where it listens stays the runner's to say", () => {
  expect(() => versionOf({ env: { GRPC_PORT: "1" } }, ["task"])).toThrow(
    "GRPC_PORT is decided by the runner: leave it out",
  );
  expect(() => versionOf({ env: { "A B": "1" } }, ["task"])).toThrow('"A B" is no name of a variable');
});
