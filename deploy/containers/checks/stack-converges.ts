import assert from "node:assert/strict";
import { join } from "../../../cli/demo/day.ts";
import { until } from "../command.ts";
import { project } from "../docker.ts";
import { allHealthy, type Stack } from "../stack.ts";

/** Every service of the stack has its containers, the edge answers and works, and a service can be scaled. */
export async function stackConverges({ docker, edge }: Stack): Promise<string[]> {
  await until("the edge answers 200", async () => (await fetch(`${edge}/health/ready`)).status === 200);
  const ann = await join(edge, "Ann");
  const { task } = await ann.mesh.tasks.createTask({ task: { title: "In a swarm" } });
  const { task: read } = await ann.mesh.tasks.getTask({ taskId: task?.taskId ?? "" });
  assert.equal(read?.title, "In a swarm");
  await docker.run(["service", "scale", "--detach", `${project}_task=2`]);
  await until("there are two of task", async () => (await docker.containers("task")).length === 2);
  await allHealthy(docker, ["task"]);
  const rows = await docker.run(["service", "ls", "--format", "{{.Name}} {{.Replicas}}"]);
  const counts = rows.split("\n").map((row) => row.slice(project.length + 1));
  // It has done its work and ended.
  for (const row of counts) if (!row.startsWith("setup ")) assert.match(row, /^\S+ (\d+)\/\1$/);
  return [
    `services: ${counts.join(", ")}`,
    "GET /health/ready at the edge answers 200; a task was written and read",
    "task was scaled to 2, both healthy",
  ];
}
