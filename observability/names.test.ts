import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { attributes, describeMetric, type MetricName, metrics } from "./names.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

async function sources(): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob("{gateway,services,consumers,kit,observability}/**/*.ts", { cwd: root })) {
    if (!file.endsWith(".test.ts") && !file.includes("testdata")) files.push(file);
  }
  return files;
}

describe("the table of names", () => {
  test("has each attribute once", () => {
    const names = Object.values(attributes);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(Object.keys(metrics) as MetricName[])("describes %s", (name) => {
    const { description, kind, buckets, attributes: known = [] } = describeMetric(name);
    expect(name).toMatch(/^(taskmesh|rpc|http|db|messaging|nodejs|v8js|process|otel)\.[a-z0-9_.]+$/);
    expect(description).toMatch(/^[A-Z0-9]/);
    expect(Object.values<string>(attributes)).toEqual(expect.arrayContaining([...known]));
    expect(known.filter((attribute) => attribute.endsWith(".id") && !attribute.includes("partition"))).toEqual([]);
    if (kind === "histogram") expect([...(buckets ?? [])]).toEqual([...(buckets ?? [])].sort((a, b) => a - b));
    if (kind === "histogram") expect(buckets?.length).toBeGreaterThan(0);
  });

  test("is the only way to instruments and attributes", async () => {
    const offenders = (await sources()).filter((file) => {
      if (file.startsWith("observability/")) return false;
      const code = readFileSync(`${root}${file}`, "utf8");
      return /@opentelemetry\/(?!api")|\.setAttribute\(\s*["'`]|\.addEvent\(|\.recordException\(|\.create\w*(Counter|Histogram|Gauge)\(/.test(
        code,
      );
    });
    expect(offenders).toEqual([]);
  });

  test("has no name that nobody uses", async () => {
    const table = readFileSync(`${root}observability/names.ts`, "utf8");
    const code = (await sources())
      .filter((file) => file !== "observability/names.ts")
      .map((file) => readFileSync(`${root}${file}`, "utf8"))
      .join("\n");
    const unusedMetrics = Object.keys(metrics).filter((name) => !code.includes(`"${name}"`));
    const unusedAttributes = Object.entries(attributes).filter(
      ([key, name]) => !code.includes(`attributes.${key}`) && !`${code}${table}`.split(`"${name}"`)[2],
    );
    expect(unusedMetrics).toEqual([]);
    expect(unusedAttributes).toEqual([]);
  });
});
