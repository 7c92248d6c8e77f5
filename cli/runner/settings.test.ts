import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { pickPorts } from "./ports.ts";
import { checkPublicPorts, ownParts, ownPublicPorts, readSettings, type Settings } from "./settings.ts";

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

describe("readSettings", () => {
  test("takes the fixed addresses and the light profile by default", () => {
    const settings = readSettings(undefined, {});
    expect(settings.publicPorts).toEqual({
      edge: 8080,
      edgeTls: 8443,
      jaeger: 16686,
      mail: 1080,
      envoyAdmin: 9901,
      ops: 9902,
      prometheus: 9090,
    });
    expect(settings.profile).toBe("light");
  });

  test("names every wrong variable at once, with what it must be", () => {
    const wrong = () => readSettings("huge", { EDGE_PORT: "http", MAIL_UI_PORT: "70000" });
    expect(wrong).toThrow(
      [
        "EDGE_PORT is wrong: it must be a port from 1 to 65535",
        "MAIL_UI_PORT is wrong: it must be a port from 1 to 65535",
        'There is no profile "huge": take one of light, default, medium, heavy',
      ].join("\n"),
    );
  });

  test("refuses the same port twice", () => {
    expect(() => readSettings(undefined, { EDGE_PORT: "8443" })).toThrow(
      "EDGE_PORT and EDGE_TLS_PORT are both 8443: give each its own port",
    );
  });
});

test("how calls are dealt out is a setting", () => {
  const policyOf = (LB_POLICY?: string) => readSettings(undefined, { LB_POLICY }).lbPolicy;
  expect([policyOf(), policyOf("round_robin"), policyOf("ip_hash")]).toEqual([
    "LEAST_REQUEST",
    "ROUND_ROBIN",
    "IP_HASH",
  ]);
  expect(() => policyOf("random")).toThrow("LB_POLICY is wrong: it must be least_request, round_robin or ip_hash");
});

test("a part that the environment names is not run by us", () => {
  expect(ownParts(readSettings(undefined, {}))).toEqual(["envoy", "postgres", "redis", "kafka", "jaeger"]);
  const source = {
    REDIS_URL: "redis://elsewhere",
    KAFKA_BROKERS: "elsewhere:9092",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://elsewhere:4318",
    AUTH_DB_URL: "postgres://a",
    USER_DB_URL: "postgres://b",
    TASK_DB_URL: "postgres://c",
    NOTIFICATION_DB_URL: "postgres://d",
  };
  expect(ownParts(readSettings(undefined, source))).toEqual(["envoy"]);
});

test("large profiles come with two replicas and Prometheus, small ones when asked for them", () => {
  const beside = ({ postgresReplicas, prometheus }: Settings) => ({ postgresReplicas, prometheus });
  const none = { postgresReplicas: 0, prometheus: false };
  expect(["light", "default"].map((profile) => beside(readSettings(profile, {})))).toEqual([none, none]);
  const both = { postgresReplicas: 2, prometheus: true };
  expect(["medium", "heavy"].map((profile) => beside(readSettings(profile, {})))).toEqual([both, both]);
  expect(beside(readSettings("heavy", { POSTGRES_REPLICAS: "0", MESH_PROMETHEUS: "false" }))).toEqual(none);
  const asked = readSettings("light", { POSTGRES_REPLICAS: "1", MESH_PROMETHEUS: "true" });
  expect(ownParts(asked)).toEqual(["envoy", "postgres", "postgres-replica", "redis", "kafka", "jaeger", "prometheus"]);
  expect(ownPublicPorts(asked)).toContain("prometheus");
  expect(() => readSettings("light", { POSTGRES_REPLICAS: "3", MESH_PROMETHEUS: "yes" })).toThrow(
    "POSTGRES_REPLICAS is wrong: it must be 0, 1 or 2\nMESH_PROMETHEUS is wrong: it must be true or false",
  );
});

test("a server of somebody else's gets no replicas of ours", () => {
  expect(ownParts(readSettings("medium", { POSTGRES_URL: "postgres://elsewhere" }))).not.toContain("postgres-replica");
});

test("the share of traces is a setting, and with none of them there is no Jaeger", () => {
  expect(readSettings(undefined, {}).sampleRatio).toBe(1);
  expect(readSettings(undefined, { OTEL_TRACES_SAMPLER_ARG: "0.1" }).sampleRatio).toBe(0.1);
  const untraced = readSettings(undefined, { OTEL_TRACES_SAMPLER_ARG: "0" });
  expect([ownParts(untraced), ownPublicPorts(untraced)]).toEqual([
    ["envoy", "postgres", "redis", "kafka"],
    ["edge", "edgeTls", "envoyAdmin", "ops", "mail"],
  ]);
  expect(() => readSettings(undefined, { OTEL_TRACES_SAMPLER_ARG: "10" })).toThrow(
    "OTEL_TRACES_SAMPLER_ARG is wrong: it must be a number from 0 to 1",
  );
});

test("how many calls are always taken is a setting, which Envoy goes by too", () => {
  expect(readSettings(undefined, {}).minCalls).toBe(32);
  expect(readSettings(undefined, { OVERLOAD_MIN_CALLS: "500" }).minCalls).toBe(500);
  for (const wrong of ["0", "1.5", "many"]) {
    expect(() => readSettings(undefined, { OVERLOAD_MIN_CALLS: wrong })).toThrow("OVERLOAD_MIN_CALLS is wrong");
  }
});

test("a public port that another program holds is named, with the variable that moves ours and a free port for it", async () => {
  const ports = (await pickPorts(6)) as [number, number, number, number, number, number];
  const server = createServer().listen(ports[3], "127.0.0.1");
  closing.push(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const [EDGE_PORT, EDGE_TLS_PORT, JAEGER_PORT, MAIL_UI_PORT, ENVOY_ADMIN_PORT, OPS_PORT] = ports.map(String);
  const source = { EDGE_PORT, EDGE_TLS_PORT, JAEGER_PORT, MAIL_UI_PORT, ENVOY_ADMIN_PORT, OPS_PORT };
  await expect(checkPublicPorts(readSettings(undefined, source))).rejects.toThrow(
    new RegExp(`^Port ${MAIL_UI_PORT} \\(Mail inbox\\) is taken .* or move ours with MAIL_UI_PORT=\\d+$`),
  );
});
