import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import manifest from "../../../package.json" with { type: "json" };
import { isAtLeast, pinsFolder, versions } from "./versions.ts";

const pinned = (file: string) => readFileSync(`${pinsFolder}${file}`, "utf8");

describe("the pinned versions", () => {
  test("are the ones that the files of each registry name", () => {
    expect(pinned("kafka/pom.xml")).toContain(`<kafka.version>${versions.kafka.fetched}</kafka.version>`);
    expect(pinned("jaeger/go.mod")).toContain(`github.com/jaegertracing/jaeger v${versions.jaeger.fetched}`);
    expect(new Set(Object.values(manifest.optionalDependencies))).toEqual(new Set([versions.postgres.fetched]));
  });

  test("are exact", () => {
    for (const { fetched } of Object.values(versions)) expect(fetched).toMatch(/^\d+\.\d+\.\d+/);
  });
});

test.each([
  ["7.0.15", "6.2", true],
  ["6.2", "6.2.0", true],
  ["6.0.9", "6.2", false],
  ["18.4.0-beta.17", "18", true],
  ["17", "18", false],
  ["1.40.0", "1.34", true],
  ["1.9.0", "1.34", false],
])("%s is at least %s: %s", (version, minimum, expected) => {
  expect(isAtLeast(version, minimum)).toBe(expected);
});
