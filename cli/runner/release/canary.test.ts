import { expect, test } from "vitest";
import { sharesOf } from "./canary.ts";

const instances = (...names: string[]) => names.map((name) => ({ name }));
/** The share of each instance in percent. */
function dealt(old: string[], fresh: string[], share: number): Record<string, number> {
  const shares = sharesOf({ old: instances(...old), fresh: instances(...fresh) }, share);
  const sum = [...shares.values()].reduce((all, { weight = 0 }) => all + weight, 0);
  return Object.fromEntries([...shares].map(([name, { weight = 0 }]) => [name, (weight * 100) / sum]));
}

test("the new instances have their share together, however many there are of each", () => {
  expect(dealt(["task-1"], ["task-2"], 5)).toEqual({ "task-1": 95, "task-2": 5 });
  expect(dealt(["task-1", "task-2", "task-3"], ["task-4"], 10)).toEqual({
    "task-1": 30,
    "task-2": 30,
    "task-3": 30,
    "task-4": 10,
  });
  expect(dealt(["task-1", "task-2"], ["task-3", "task-4"], 50)).toEqual({
    "task-1": 25,
    "task-2": 25,
    "task-3": 25,
    "task-4": 25,
  });
});

test("with all of it, the old ones stand by", () => {
  const shares = sharesOf({ old: instances("task-1"), fresh: instances("task-2") }, 100);
  expect(shares.get("task-1")).toEqual({ standby: true });
  expect(shares.get("task-2")?.weight).toBeGreaterThan(0);
});

test("consumers, of whom no old ones are left, still have a weight that Envoy would take", () => {
  expect(sharesOf({ old: [], fresh: instances("consumers-2") }, 100).get("consumers-2")).toEqual({ weight: 1 });
});
