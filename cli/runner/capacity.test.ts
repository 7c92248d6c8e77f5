import { expect, test } from "vitest";
import { capacityFor, checkCapacity } from "./capacity.ts";

const mebibyte = 1_048_576;
const instances = (...sizes: [name: string, mebibytes: number][]) =>
  sizes.map(([name, size]) => ({ name, residentBytes: size * mebibyte }));

test("counts what our own processes take, not the parts, and leaves half a gibibyte to others", () => {
  const running = instances(["task-1", 180], ["gateway-1", 150], ["kafka", 900]);
  expect(capacityFor(running, 1412 * mebibyte)).toMatchObject({ more: 5, bytesEach: 180 * mebibyte });
  expect(capacityFor(running, 100 * mebibyte).more).toBe(0);
});

test("takes 128 MiB for each while nothing runs that says more", () => {
  expect(capacityFor([], 1024 * mebibyte)).toMatchObject({ more: 4, bytesEach: 128 * mebibyte });
});

test("refuses what does not fit, with what does", () => {
  const capacity = capacityFor([], 1024 * mebibyte);
  expect(() => checkCapacity(4, capacity)).not.toThrow();
  expect(() => checkCapacity(5, capacity)).toThrow(
    "This machine does not bear 5 more processes: each needs about 128 MiB, and of 1024 MiB free 512 MiB stay so; take 4 more at most",
  );
});
