import { describe, expect, it } from "vitest";
import { type AttributeDescription, attributeRegistry } from "#observability/attributes.ts";
import { logKeys } from "#observability/log-keys.ts";
import { type AttributeName, attributes } from "#observability/names.ts";
import { spanShapes } from "#observability/span-shapes.ts";
import { loggedKeys } from "./log-lines.ts";
import { isTest, typescriptSources } from "./sources.ts";

const programs = typescriptSources().filter(
  ({ path }) => /^(services|consumers|gateway|kit|observability)\//.test(path) && !isTest(path),
);
const named: readonly string[] = Object.values(attributes);

describe("[mesh.12] the registry of what telemetry says", () => {
  it.each(named)("says what %s means and what it may hold", (name) => {
    const known: AttributeDescription | undefined = attributeRegistry[name as keyof typeof attributeRegistry];
    expect(known, "add it to observability/attributes.ts").toBeDefined();
    expect(known?.description).toMatch(/^[A-Z0-9].{5,}/);
    // A string of any form could be anything that somebody wrote.
    if (known?.type === "string") expect(known.values ?? known.form).toBeDefined();
    if (known?.type === "int" || known?.type === "double") expect(known.range).toHaveLength(2);
  });

  it("has nothing that names.ts has not, and no shape of a span with another attribute", () => {
    expect(Object.keys(attributeRegistry).filter((name) => !named.includes(name))).toEqual([]);
    const ofShapes = spanShapes.flatMap(({ requires, may = [] }) => [...requires, ...may]);
    expect(ofShapes.filter((name: AttributeName) => !named.includes(name))).toEqual([]);
  });

  it("is the only way to name a span or an attribute: nobody calls the API of spans but tracing.ts", () => {
    const offenders = programs.filter(
      ({ path, text }) =>
        !/^observability\/(tracing|traces-sdk)\.ts$/.test(path) &&
        /getTracer\(|\btracer\.|\.setAttributes?\(|\.updateName\(|\.addEvent\(|\.recordException\(/.test(text),
    );
    expect(offenders.map(({ path }) => path)).toEqual([]);
  });

  it("has every key of every log line", () => {
    const known = new Set<string>([
      ...Object.keys(logKeys),
      ...named,
      ...Object.keys(attributes).map((key) => `attributes.${key}`),
    ]);
    const logged = programs.flatMap(({ path, text }) => loggedKeys(path, text));
    expect(logged.length).toBeGreaterThan(50);
    expect(logged.filter(({ key }) => !known.has(key))).toEqual([]);
  });

  it("finds a key that is not in it", () => {
    const text =
      'log.info({ "taskmesh.user.id": id, nested: { a: [1, 2] }, [attributes.reason]: f(a, b), title }, "x");';
    expect(loggedKeys("x.ts", text).map(({ key }) => key)).toEqual([
      "taskmesh.user.id",
      "nested",
      "attributes.reason",
      "title",
    ]);
  });

  it("has no log key that nobody writes", () => {
    const all = programs.filter(({ path }) => path !== "observability/log-keys.ts").map(({ text }) => text);
    const code = all.join("\n");
    const unused = Object.keys(logKeys).filter((key) => !new RegExp(`\\b${key.replaceAll(".", "\\.")}\\b`).test(code));
    expect(unused).toEqual([]);
  });
});
