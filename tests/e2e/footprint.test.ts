import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unitOf } from "../../cli/runner/status.ts";
import { processes, processNames } from "../../cli/topology.ts";
import { TestMesh } from "../_util/mesh.ts";
import { until } from "../_util/until.ts";

const megabyte = 1e6;

let mesh: TestMesh;

beforeAll(async () => {
  mesh = await TestMesh.start({ env: { MESH_PROFILE: "light" } });
});
afterAll(() => mesh?.stop());

/** What a mesh at rest takes of the machine, in megabytes. */
async function taken() {
  const { memory, instances } = await mesh.status();
  const resident = instances
    .filter(({ name }) => processNames.some((process) => process === unitOf(name)))
    .reduce((sum, { residentBytes }) => sum + residentBytes, 0);
  return {
    processes: memory.processes / megabyte,
    everything: (memory.processes + memory.parts) / megabyte,
    resident: resident / megabyte,
  };
}

/** What the doctor finds, healthy or not. */
async function findings(): Promise<{ check: string; ok: boolean; finding: string; advice?: string }[]> {
  const printed = await mesh.cli("doctor", "--json").catch((error: { stdout: string }) => error.stdout);
  return JSON.parse(printed).findings;
}

describe("a second start in the same home", () => {
  it.each([[[]], [["--detach"]]])("is refused (%j)", async (flags) => {
    const refused = mesh.cli("up", ...flags);
    await expect(refused).rejects.toThrow("Taskmesh is already running here");
  });
});

describe("the doctor", () => {
  it("finds a mesh at rest healthy, with its figures [002.16]", async () => {
    const found = await findings();
    expect(found.filter(({ ok }) => !ok)).toEqual([]);
    const figures = Object.fromEntries(found.map(({ check, finding }) => [check, finding]));
    expect(figures).toMatchObject({
      "PostgreSQL's connections": expect.stringMatching(/^\d+ of \d+$/),
      "Redis' connections": expect.stringMatching(/^\d+, at most \d+ are expected$/),
      "Redis' memory": expect.stringMatching(/MiB used, 0 keys evicted$/),
      processes: "6 answer",
    });
  });

  it("finds connections to Redis that leak, and Kafka that is away, and says what to do", async () => {
    const { instances } = await mesh.status();
    const of = (name: string) => instances.find((instance) => instance.name === name);
    const port = of("redis")?.ports.redis as number;
    const leak = Array.from({ length: 100 }, () => connect(port, "127.0.0.1"));
    await Promise.all(leak.map((socket) => once(socket, "connect")));
    const kafka = of("kafka")?.pid as number;
    process.kill(kafka, "SIGSTOP");
    try {
      const wrong = (await findings()).filter(({ ok }) => !ok);
      expect(wrong.map(({ check }) => check)).toEqual(expect.arrayContaining(["Redis' connections", "Kafka"]));
      expect(wrong.every(({ advice }) => (advice ?? "").length > 20)).toBe(true);
    } finally {
      process.kill(kafka, "SIGCONT");
      for (const socket of leak) socket.destroy();
    }
  });
});

describe("the memory of a mesh at rest", () => {
  it("is bounded for the light profile: its processes, and all of it with its parts [pain.02]", async () => {
    await until("less memory than the bound", async () => {
      const { processes, everything, resident } = await taken();
      return processes < 600 && everything < 2000 && resident < 1000;
    }).catch(async (cause) => {
      throw new Error(`the light profile takes ${JSON.stringify(await taken())} MB`, { cause });
    });
  });

  it("is bounded for the default profile", async () => {
    for (const name of processNames) {
      const { light, default: wished } = processes[name].replicas;
      if (wished > light) await mesh.scale(name, wished);
    }
    await until("less memory than the bound", async () => (await taken()).processes < 1400).catch(async (cause) => {
      throw new Error(`the default profile takes ${JSON.stringify(await taken())} MB`, { cause });
    });
    expect((await mesh.status()).instances.filter(({ name }) => name.startsWith("task-"))).toHaveLength(2);
  });
});
