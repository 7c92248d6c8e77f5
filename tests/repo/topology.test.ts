import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { databaseEnvironment } from "#kit/database-config.ts";
import { type Profile, processes, profiles } from "../../cli/topology.ts";
import { envoyOptions } from "../../deploy/compose/envoy.ts";
import { composeFiles } from "../../deploy/compose.ts";
import { envoyConfig } from "../../envoy/config.ts";
import { schemas } from "./env-example.ts";

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

  const services = ["auth", "user", "task", "notification"] as const;

  it.each(profiles)("gives no service more than 100 connections in profile %s", (profile: Profile) => {
    for (const name of services) {
      const { poolMax } = schemas[name] as ReturnType<typeof databaseEnvironment>;
      expect(processes[name].replicas[profile] * Number(poolMax.fallback), name).toBeLessThanOrEqual(100);
    }
  });

  it("has every entry file that it names", () => {
    for (const { entry } of Object.values(processes)) expect(readFileSync(entry, "utf8")).not.toBe("");
  });
});
