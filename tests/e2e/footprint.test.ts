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
