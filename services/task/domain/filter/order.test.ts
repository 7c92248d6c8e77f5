import { expect, it } from "vitest";
import { toSortKeys } from "./order.ts";

it("reads keys with their directions", () => {
  expect(toSortKeys("")).toEqual([]);
  expect(toSortKeys("  priority   desc ,due")).toEqual([
    { expression: "t.priority", type: "integer", descending: true },
    { expression: "coalesce(t.due_instant, 'infinity'::timestamptz)", type: "timestamptz", descending: false },
  ]);
});

it("puts tasks without a due last both ways", () => {
  expect(toSortKeys("due")[0]?.expression).toContain("'infinity'");
  expect(toSortKeys("due desc")[0]?.expression).toContain("'-infinity'");
});

it.each([
  "owner_id",
  "priority up",
  "priority desc desc",
  "priority,",
  ",",
  "priority, priority desc",
  "title; DROP TABLE task",
  "constructor",
  "t.title",
  "label_ids",
  "PRIORITY",
])("refuses %j, naming order_by", (orderBy) => {
  expect(() => toSortKeys(orderBy)).toThrow(
    expect.objectContaining({ fieldViolations: [expect.objectContaining({ field: "order_by" })] }),
  );
});
