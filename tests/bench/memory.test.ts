import { expect, test } from "vitest";
import { footprint, memoryOfFamily, sumOf } from "./memory.ts";

const processes = [
  { name: "gateway-1", resident: 120, share: 90 },
  { name: "task-1", resident: 100, share: 60 },
  { name: "mail", resident: 50, share: 30 },
];

test("the footprint is what all have in memory, over as many of the bare one", () => {
  expect(footprint(processes, { resident: 60 })).toBe(1.5);
  expect([sumOf(processes, "resident"), sumOf(processes, "share")]).toEqual([270, 180]);
});

test("a process has memory, and its share of the machine's is no more", async () => {
  const { resident, share } = await memoryOfFamily(process.ppid);
  expect(resident).toBeGreaterThan(2 ** 20);
  expect(share).toBeGreaterThan(2 ** 20);
});
