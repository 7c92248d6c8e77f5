import { expect, test } from "vitest";
import { crowdSize } from "./crowd-size.ts";

const gibibyte = 1024 ** 3;

test("ten thousand users are connected, or as many as files and memory allow", () => {
  const plenty = { files: 1_048_576, memory: 16 * gibibyte };
  expect(crowdSize(plenty)).toBe(10_000);
  expect(crowdSize({ ...plenty, files: Infinity })).toBe(10_000);
  expect(crowdSize({ ...plenty, files: 4096 })).toBe(3096);
  expect(crowdSize({ ...plenty, memory: gibibyte + 300_000_000 })).toBe(2000);
  expect(crowdSize({ files: 256, memory: gibibyte / 2 })).toBe(0);
});
