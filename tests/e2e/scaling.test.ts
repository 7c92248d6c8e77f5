import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { AutoscaleAnswer, AutoscaleRequest } from "../../cli/runner/autoscale/action.ts";
import { askMesh } from "../../cli/runner/control.ts";
import { findHome } from "../../cli/runner/home.ts";
import { type ProcessName, processes, processNames, profiles } from "../../cli/topology.ts";
import { type GroupName, groupNames } from "../../consumers/groups.ts";
import { produceTaskEvents } from "../_util/events.ts";
import { kafkaOf, ownership } from "../_util/kafka.ts";
import { TestMesh } from "../_util/mesh.ts";
import { Person } from "../_util/person.ts";
import { until } from "../_util/until.ts";

let mesh: TestMesh;
const folder = mkdtempSync(join(tmpdir(), "taskmesh-scaling-"));

beforeAll(async () => {
  mesh = await TestMesh.start({ env: { MESH_PROFILE: "default", MESH_FAULTS: "true", OTEL_TRACES_SAMPLER_ARG: "0" } });
});
afterAll(async () => {
  await mesh?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function counts(): Promise<Record<string, number>> {
  const ready = (await mesh.status()).instances.filter(({ status }) => status === "ready").map(({ name }) => name);
  const ofName = (process: ProcessName) => ready.filter((name) => name.replace(/-\d+$/, "") === process).length;
  return Object.fromEntries(processNames.map((process) => [process, ofName(process)]));
}

it("runs what the default profile says: two of each service, three of the consumers [000.02]", async () => {
  const profile = Object.fromEntries(processNames.map((name) => [name, processes[name].replicas.default]));
  expect(profile).toMatchObject({ user: 2, task: 2, notification: 2, consumers: 3 });
  expect(await counts()).toEqual(profile);
});

describe("consumer groups", () => {
  const topics = {
    notification: "task.events.v1",
    scheduler: "task.events.v1",
    email: "notification.deliveries.v1",
    webhook: "notification.deliveries.v1",
    push: "notification.deliveries.v1",
    urgent: "notification.urgent.v1",
  } satisfies Record<GroupName, string>;

  it("are six, each with all partitions of its topic, dealt out among three processes; what a person hears is keyed by person [mesh.02]", async () => {
    const kafka = await kafkaOf(mesh);
    for (const group of groupNames) {
      const dealt = await until(`${group} to be dealt out`, async () => {
        const counts = await ownership(kafka, group, topics[group]);
        return counts.length === 3 && counts.toSorted();
      });
      expect([group, dealt]).toEqual([group, [4, 4, 4]]);
    }
    const [ann, ...others] = await Promise.all(["Ann", "Ben", "Cem"].map((name) => Person.register(mesh.edge, name)));
    const recipients = others.map(({ userId }) => userId);
    await ann?.ask("POST /v1/tasks", { title: "for all of us", assigneeIds: recipients });

    const places = new Map<string, Set<number>>();
    const reader = kafka.consumer({ groupId: `test-${Date.now()}` });
    await reader.connect();
    try {
      await reader.subscribe({ topic: topics.email, fromBeginning: true });
      await reader.run({
        eachMessage: async ({ partition, message }) => {
          const key = String(message.key);
          places.set(key, (places.get(key) ?? new Set()).add(partition));
        },
      });
      await until("both to be told", async () => recipients.every((userId) => places.has(userId)));
      expect([...places.values()].every(({ size }) => size === 1)).toBe(true);
      expect([...places.keys()].toSorted()).toEqual(recipients.toSorted());
    } finally {
      await reader.disconnect();
    }
  });
});

describe("by hand", () => {
  it("scales several at once, and every service by one word [000.06]", async () => {
    await mesh.cli("scale", "all=1", "task=3", "gateway=1", "consumers=2");
    expect(await counts()).toMatchObject({ gateway: 1, auth: 1, user: 1, task: 3, notification: 1, consumers: 2 });
  });

  it("scales containers by a variable for each, which a file for each profile sets [000.06]", () => {
    const { services } = parse(readFileSync("docker-compose.yml", "utf8"));
    for (const name of processNames.filter((process) => process !== "mail")) {
      const variable = `${name.toUpperCase()}_REPLICAS`;
      expect(services[name].deploy.replicas).toBe(`\${${variable}:-${processes[name].replicas.light}}`);
      for (const profile of profiles) {
        const file = readFileSync(`deploy/compose/${profile}.env`, "utf8");
        expect(file).toMatch(new RegExp(`^${variable}=${processes[name].replicas[profile]}$`, "m"));
      }
    }
  });

  it("refuses what the machine does not bear in one line, and does none of it", async () => {
    const refusal = mesh.cli("scale", "all=32", "gateway=32", "consumers=32").catch(({ stderr }) => stderr);
    expect(await refusal).toMatch(/^This machine does not bear \d+ more processes: .*; take \d+ more at most\n$/);
    expect(await counts()).toMatchObject({ auth: 1, task: 3 });
    expect(await mesh.cli("scale", "task=2", "task=3").catch(({ stderr }) => stderr)).toBe(
      "task=2 and task=3 contradict each other: leave one of them\n",
    );
  });
});

describe("by itself, as the ScaledObject says", () => {
  const seen: { consumers: number; lag: number }[] = [];
  const ask = async (request: AutoscaleRequest) =>
    (await askMesh<AutoscaleAnswer>(findHome(mesh.environment.MESH_HOME), { command: "autoscale", request })).status;
  const look = async () => {
    const { processes: scaled, changes } = await ask({ do: "status" });
    const now = {
      consumers: scaled[0]?.replicas ?? 0,
      lag: scaled[0]?.latest?.metrics[0]?.value ?? Number.NaN,
      changes,
    };
    seen.push(now);
    return now;
  };
  const slowDown = () => mesh.cli("fault", "consumer", "notification", "--delay", "20ms", "--for", "10m");
  const speedUp = () => mesh.cli("fault", "heal");

  beforeAll(async () => {
    await mesh.cli("scale", "task=1", "consumers=1");
    await slowDown();
    writeFileSync(join(folder, "consumers.yaml"), scaledObject);
  });

  it("says beforehand what it would do, and does not do it", async () => {
    await produceTaskEvents(mesh, [5], 5000);
    const [decision] = JSON.parse(await mesh.cli("autoscale", "on", "--dry-run", "--path", folder, "--json"));
    expect(decision).toMatchObject({ process: "consumers", from: 1, to: 1 });
    expect(await ask({ do: "status" })).toEqual({ on: false, processes: [], changes: [] });
  });

  it("leaves one hot partition to one instance [pain.16]", async () => {
    await mesh.cli("autoscale", "on", "--path", folder);
    await until("five looks at the hot partition", async () => {
      await look();
      return new Set(seen.map(({ lag }) => lag)).size > 5;
    });
    expect(Math.max(...seen.map(({ lag }) => lag || 0))).toBeGreaterThan(1000);
    await speedUp();
    await until("it to be drained", async () => (await look()).lag === 0, { timeoutMs: 120_000 });
    expect(Math.max(...seen.map(({ consumers }) => consumers))).toBe(1);
  });

  it("grows with the lag, never beyond the partitions that have some, drains it, and shrinks: no flapping [beyond.08] [003.06]", async () => {
    await slowDown();
    await produceTaskEvents(mesh, [0, 3, 6, 9], 2000);
    await until("an instance for each partition with lag", async () => (await look()).consumers === 4, {
      timeoutMs: 120_000,
    });
    await speedUp();
    const { changes } = await until(
      "the lag to be drained and the consumers to be one again",
      async () => {
        const now = await look();
        return now.lag === 0 && now.consumers === 1 && now;
      },
      { timeoutMs: 240_000 },
    );

    expect(Math.max(...seen.map(({ consumers }) => consumers))).toBe(4);
    const signs = changes.map(({ from, to }) => Math.sign(to - from));
    expect(signs.filter((sign, index) => index > 0 && sign !== signs[index - 1])).toEqual([-1]);
    expect(changes.find(({ to }) => to === 4)?.reason).toMatch(
      /^lag of notification in task\.events\.v1 \d+ of 100 for each \(4 partitions with lag/,
    );
  });

  it("is switched off, and then leaves everything as it is", async () => {
    expect(await mesh.cli("autoscale", "off")).toBe("Autoscaling is off\n");
    expect(await counts()).toMatchObject({ consumers: 1 });
  });
});

/** The project's own ScaledObject with shorter times. */
const scaledObject = `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: { name: consumers }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: consumers }
  pollingInterval: 1
  minReplicaCount: 1
  maxReplicaCount: 10
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown:
          stabilizationWindowSeconds: 15
          policies: [{ type: Percent, value: 100, periodSeconds: 1 }]
  triggers:
    - type: kafka
      metadata:
        consumerGroup: notification
        topic: task.events.v1
        lagThreshold: "100"
        limitToPartitionsWithLag: "true"
        excludePersistentLag: "true"
`;
