import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { processes } from "../../cli/topology.ts";
import { composeFiles, envoyOptions } from "../../deploy/compose.ts";
import { envoyConfig } from "../../envoy/config.ts";

describe("the table of topology", () => {
  it.each(Object.entries(composeFiles()))("has made %s (`npm run compose` writes it)", (path, text) => {
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("names the clusters that Envoy has", () => {
    const { static_resources } = envoyConfig(envoyOptions()) as { static_resources: { clusters: { name: string }[] } };
    const inEnvoy = static_resources.clusters.map(({ name }) => name);
    const inTable = Object.values(processes).flatMap(({ clusters }) => Object.values(clusters));
    expect(inEnvoy).toEqual(expect.arrayContaining(inTable));
    expect(inEnvoy.filter((name) => !inTable.includes(name) && !["otlp", "admin"].includes(name))).toEqual([]);
  });

  it("has every entry file that it names", () => {
    for (const { entry } of Object.values(processes)) expect(readFileSync(entry, "utf8")).not.toBe("");
  });
});
