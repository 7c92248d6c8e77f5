import { appendFile, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { rotateLogs } from "../runner/log-rotation.ts";
import { Tail } from "./tail.ts";

const all = () => true;
let folder: string;
let path: string;
let tail: Tail;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-tail-"));
  path = join(folder, "task-1.log");
});

afterEach(async () => {
  await tail.close();
  await rm(folder, { recursive: true });
});

async function tailOf(text: string): Promise<Tail> {
  await writeFile(path, text);
  tail = await Tail.open("task-1", path);
  return tail;
}

it("finds the last wanted lines however far back they are, oldest first", async () => {
  const lines = Array.from({ length: 30_000 }, (_, index) => `${index % 10_000 === 5 ? "wanted" : "other"} ${index} ü`);
  await tailOf(`${lines.join("\n")}\n`);
  expect(await tail.last(2, (line) => line.startsWith("wanted"))).toEqual(["wanted 10005 ü", "wanted 20005 ü"]);
  expect(await tail.last(5, (line) => line.startsWith("wanted"))).toHaveLength(3);
  expect(await tail.last(3, all)).toEqual(lines.slice(-3));
  expect(await tail.last(0, all)).toEqual([]);
});

it("joins a line longer than a block", async () => {
  const long = "x".repeat(600_000);
  await tailOf(`first\n${long}\n`);
  expect(await tail.last(2, all)).toEqual(["first", long]);
});

it("goes on with what is added, a line only when it is whole", async () => {
  await tailOf("one\nhalf");
  expect(await tail.last(10, all)).toEqual(["one"]);
  expect(await tail.added()).toEqual([]);
  await appendFile(path, " done\nnext\n");
  expect(await tail.added()).toEqual(["half done", "next"]);
});

it("misses nothing of a file that is rotated while it is followed", async () => {
  await tailOf("one\ntwo\n");
  await tail.last(10, all);
  await appendFile(path, "late\n");
  await rotateLogs(folder, 1);
  await appendFile(path, "new\n");
  expect(await tail.added()).toEqual(["late", "new"]);
  await appendFile(path, "newer\n");
  expect(await tail.added()).toEqual(["newer"]);
});

it("starts over when the file was cut", async () => {
  await tailOf("one\ntwo\n");
  await tail.last(10, all);
  await truncate(path);
  await appendFile(path, "new\n");
  expect(await tail.added()).toEqual(["new"]);
});
