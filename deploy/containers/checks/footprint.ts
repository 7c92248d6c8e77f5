import assert from "node:assert/strict";
import type { Stack } from "../stack.ts";

const gibibyte = 1024;

/** The memory of all containers together, as Docker counts it. */
export async function footprint({ docker }: Stack): Promise<string[]> {
  const rows = (await docker.run(["stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.CPUPerc}}"]))
    .split("\n")
    .map((line) => /^\S+?_(\S+?)_\d+ ([\d.]+)(\w+) .* ([\d.]+)%$/.exec(line))
    .filter((match) => match !== null)
    .map(([, name = "", amount, unit, cpu]) => ({
      name,
      memory: Number(amount) * (unit === "GiB" ? gibibyte : 1),
      cpu: Number(cpu),
    }))
    .sort((one, other) => other.memory - one.memory);
  const memory = rows.reduce((sum, row) => sum + row.memory, 0);
  const cpu = rows.reduce((sum, row) => sum + row.cpu, 0);
  assert.ok(memory > 0 && memory < 5 * gibibyte, `the containers take ${memory} MiB`);
  const lines = rows.map((row) => `${row.name}: ${Math.round(row.memory)} MiB`);
  return [...lines, `together ${Math.round(memory)} MiB and ${Math.round(cpu)} % of one CPU, at rest`];
}
