import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { repositoryRoot } from "./runner/home.ts";
import { meshOrder } from "./runner/mesh-order.ts";
import { databases, partTitles, processes, processNames, profiles, publicPorts, type UnitName } from "./topology.ts";

const units = [...Object.keys(partTitles), ...processNames] as UnitName[];
const rows = processNames.map((name) => ({ name, ...processes[name] }));

describe("the topology", () => {
  test.each(rows)("$name has an entry file", ({ entry }) => {
    expect(existsSync(join(repositoryRoot, entry))).toBe(true);
  });

  test("names no unit that there is not", () => {
    for (const { after, calls } of rows) expect(units).toEqual(expect.arrayContaining([...after, ...calls]));
  });

  test.each([
    ["start", meshOrder.after],
    ["stop", meshOrder.outlivedBy],
  ])("has no circle in its %s order", (_, needs) => {
    const visit = (unit: UnitName, path: readonly UnitName[]): void => {
      expect(path, `${[...path, unit].join(" → ")}`).not.toContain(unit);
      for (const next of needs(unit)) visit(next, [...path, unit]);
    };
    for (const unit of units) visit(unit, []);
  });

  test("stops the gateway before the services, and those before the proxy, the parts and Jaeger", () => {
    expect(meshOrder.outlivedBy("gateway")).toEqual(expect.arrayContaining(["auth", "user", "task", "notification"]));
    expect(meshOrder.outlivedBy("task")).toEqual(
      expect.arrayContaining(["envoy", "postgres", "redis", "kafka", "jaeger"]),
    );
  });

  test("gives every port of a process a variable of its own, and every public port another number", () => {
    for (const { ports } of rows) expect(new Set(Object.values(ports)).size).toBe(Object.keys(ports).length);
    const numbers = Object.values(publicPorts).map(({ port }) => port);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  // Gateway, auth, user, task, notification, consumers: one process of the consumers runs all groups.
  test.each([
    ["light [000.03]", "light", [1, 1, 1, 1, 1, 1]],
    ["default", "default", [2, 2, 2, 2, 2, 3]],
    ["medium [000.04]", "medium", [2, 2, 2, 3, 2, 5]],
    ["heavy", "heavy", [4, 5, 5, 8, 3, 15]],
  ] as const)("has the numbers of the profile %s", (_title, profile, numbers) => {
    const names = ["gateway", "auth", "user", "task", "notification", "consumers"] as const;
    expect(names.map((name) => processes[name].replicas[profile])).toEqual(numbers);
  });

  test("grows from profile to profile", () => {
    for (const { replicas } of rows) {
      const counts = profiles.map((profile) => replicas[profile]);
      expect(counts).toEqual([...counts].sort((one, other) => one - other));
      expect(counts[0]).toBe(1);
    }
  });

  test("has one database for each service, and the consumers write to that of notification", () => {
    expect([...databases].sort()).toEqual(["auth", "notification", "task", "user"]);
    expect(processes.consumers.database?.name).toBe("notification");
  });
});
