import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readOpsConfig } from "./config.ts";
import { dnsSource } from "./dns-source.ts";

const given = { OPS_TOKEN_FILE: fileURLToPath(import.meta.url), KAFKA_BROKERS: "kafka:9092", SERVICES: "auth:9464" };

test("services are named by their host, or by a name of their own", () => {
  const { services } = readOpsConfig({ ...given, SERVICES: "auth:9464,task=task.internal:9000" });
  expect(services).toEqual([
    { name: "auth", host: "auth", port: 9464 },
    { name: "task", host: "task.internal", port: 9000 },
  ]);
  expect(() => readOpsConfig({ ...given, SERVICES: "auth" })).toThrow(/^SERVICES is wrong: write it as auth:9464/);
  expect(() => readOpsConfig({ ...given, SERVICES: undefined })).toThrow(/SERVICES/);
});

test("every address of a name is an instance, and a name without one is away", async () => {
  const services = [
    { name: "auth", host: "localhost", port: 9464 },
    { name: "task", host: "nobody.invalid", port: 9464 },
  ];
  const source = dnsSource({ services, envoyUrl: undefined, brokers: [] });
  expect(await source.instances()).toEqual([
    { name: "auth", unit: "auth", status: "ready", metricsUrl: "http://127.0.0.1:9464/metrics" },
    { name: "task", unit: "task", status: "away" },
  ]);
});
