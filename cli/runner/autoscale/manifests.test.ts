import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { processes } from "../../topology.ts";
import { readPolicies } from "./manifests.ts";

const folder = mkdtempSync(join(tmpdir(), "taskmesh-autoscale-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const written = (text: string) => {
  const file = join(folder, "autoscaling.yaml");
  writeFileSync(file, text);
  return file;
};

describe("the files of this repository", () => {
  const policies = Object.fromEntries(readPolicies("deploy/kubernetes/base").map((policy) => [policy.process, policy]));

  test("say for the gateway 4 to 20 at 70 % of 250m and 80 % of 256Mi, and for auth 2 to 8", () => {
    expect(policies.gateway).toMatchObject({
      min: 4,
      max: 20,
      metrics: [
        { kind: "cpu", target: 70, request: 0.25 },
        { kind: "memory", target: 80, request: 268_435_456 },
      ],
    });
    expect(policies.auth).toMatchObject({ min: 2, max: 8, metrics: [{ request: 0.2 }, { request: 268_435_456 }] });
  });

  test("say for the consumers 2 to 10 at a lag of 100 in every topic that they hear", () => {
    expect(policies.consumers).toMatchObject({ kind: "ScaledObject", min: 2, max: 10, down: { windowMs: 300_000 } });
    expect(policies.consumers?.metrics).toEqual(
      [
        ["notification", "task.events.v1"],
        ["notification", "auth.events.v1"],
        ["email", "notification.deliveries.v1"],
        ["webhook", "notification.deliveries.v1"],
        ["push", "notification.deliveries.v1"],
        ["urgent", "notification.urgent.v1"],
        ["scheduler", "task.events.v1"],
        ["scheduler", "user.events.v1"],
      ].map(([group, topic]) => ({
        kind: "lag",
        group,
        topic,
        threshold: 100,
        limitToPartitionsWithLag: true,
        excludePersistentLag: true,
      })),
    );
  });

  test("let every service grow as large as the heavy profile", () => {
    for (const name of ["auth", "user", "task", "notification", "gateway"] as const) {
      expect(policies[name]?.max).toBeGreaterThanOrEqual(processes[name].replicas.heavy);
    }
  });
});

describe("what cannot be followed is said in one line", () => {
  const scaledObject = (trigger: string, target = "consumers") =>
    `kind: ScaledObject\nmetadata: { name: x }\nspec:\n  scaleTargetRef: { name: ${target} }\n  triggers: [${trigger}]\n`;
  const kafka = "{ type: kafka, metadata: { consumerGroup: email, topic: t } }";
  test.each([
    ["a file without any", "kind: Service\n", "holds neither"],
    ["a process that is none", scaledObject(kafka, "web"), 'scales "web", which is no process of the mesh'],
    ["another trigger", scaledObject("{ type: cron }"), "has a trigger that cannot be read here"],
    [
      "bounds the wrong way around",
      scaledObject(kafka).replace("spec:", "spec:\n  minReplicaCount: 5\n  maxReplicaCount: 2"),
      "from 5 to 2 replicas is no range",
    ],
    ["the same process twice", `${scaledObject(kafka)}---\n${scaledObject(kafka)}`, "scales consumers twice"],
    [
      "a request that nobody says",
      "kind: HorizontalPodAutoscaler\nspec:\n  scaleTargetRef: { name: task }\n  maxReplicas: 3\n  metrics: [{ type: Resource, resource: { name: cpu, target: { averageUtilization: 70 } } }]\n",
      "no Deployment task beside it says its request of cpu",
    ],
    ["no YAML", "a: [", "is no YAML"],
  ])("%s", (_title, text, message) => {
    expect(() => readPolicies(written(text))).toThrow(message);
  });

  test("no such file", () => {
    expect(() => readPolicies("nowhere.yaml")).toThrow("There is no file or folder nowhere.yaml");
  });
});

test("what a file leaves out is as Kubernetes and KEDA have it", () => {
  const [policy] = readPolicies(
    written(
      "kind: ScaledObject\nspec:\n  scaleTargetRef: { name: consumers }\n  triggers: [{ type: kafka, metadata: { consumerGroup: email, topic: t } }]\n",
    ),
  );
  expect(policy).toMatchObject({
    min: 1,
    max: 100,
    everyMs: 30_000,
    metrics: [{ threshold: 10, limitToPartitionsWithLag: false, excludePersistentLag: false }],
    up: { windowMs: 0 },
    down: { windowMs: 300_000, rules: [{ type: "Percent", value: 100, periodMs: 15_000 }] },
  });
});
