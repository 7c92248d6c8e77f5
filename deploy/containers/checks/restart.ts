import { join } from "../../../cli/demo/day.ts";
import { until } from "../command.ts";
import { allHealthy, type Stack } from "../stack.ts";

/** Every container is removed and made anew; the volumes stay: a session and a task are there again. */
export async function restart({ docker, edge }: Stack): Promise<string[]> {
  const ann = await join(edge, "Ann");
  const { task } = await ann.mesh.tasks.createTask({ task: { title: "Survive" } });
  const taskId = task?.taskId ?? "";
  const stopping = Date.now();
  // `down` would remove the networks too, and dockerd 20.10 may keep an endpoint of a container that was killed.
  await docker.compose(["rm", "--stop", "--force"]);
  const starting = Date.now();
  await docker.compose(["up", "--detach"]);
  await allHealthy(docker);
  const seconds = (from: number, to: number) => `${((to - from) / 1000).toFixed(1)} s`;
  const lines = [`removed in ${seconds(stopping, starting)}, healthy again in ${seconds(starting, Date.now())}`];
  await until("the session from before reads the task", async () => {
    const answer = await ann.mesh.tasks.getTask({ taskId });
    return answer.task?.taskId === taskId;
  });
  return [...lines, "the task is there, and the session from before reads it"];
}
