import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Role } from "#gen/task/v1/task_pb.js";
import { join, type Someone } from "../../../cli/demo/day.ts";
import { mailsFor } from "../../../cli/demo/post.ts";
import { until } from "../command.ts";
import type { Docker } from "../docker.ts";
import type { Stack } from "../stack.ts";

const pauseMs = 100;

/**
 * While tasks are written and shared, a task service and a consumer die by SIGKILL. Docker starts them again, and what
 * was accepted is there: every task, one entry in the inbox for each, one mail for each.
 */
export async function crashes({ docker, edge, mail }: Stack): Promise<string[]> {
  const [ann, bob] = await Promise.all([join(edge, "Ann"), join(edge, "Bob")]);
  const load = startLoad(ann, bob);
  const lines: string[] = [];
  for (const service of ["task", "consumers"]) {
    await delay(3000);
    lines.push(await crash(docker, service));
  }
  await delay(3000);
  const { accepted, refused } = await load.stop();
  assert.ok(accepted.length > 20, `only ${accepted.length} tasks were written`);
  await until("every shared task is in the inbox once", async () => {
    const found = await inbox(bob);
    return accepted.every((id) => found.get(id) === 1);
  });
  const tasks = new Set(await allTasks(ann));
  assert.deepEqual(
    accepted.filter((id) => !tasks.has(id)),
    [],
  );
  const doubled: string[] = [];
  for (let at = 0; at < accepted.length; at += 8) {
    const some = accepted.slice(at, at + 8);
    const mails = await Promise.all(some.map((id) => mailsFor(mail, bob.email, id, 1)));
    doubled.push(...some.filter((_, index) => mails[index]?.length !== 1));
  }
  assert.deepEqual(doubled, []);
  lines.push(`${accepted.length} tasks written and shared, ${refused} calls failed for good`);
  lines.push(`lost: 0 tasks, 0 entries, 0 mails; doubled: none`);
  return lines;
}

/**
 * Kills a container's process from outside, as the kernel does when memory runs out. `docker kill` would not do: Docker
 * takes that for the operator's wish and leaves the container down.
 */
async function crash(docker: Docker, service: string): Promise<string> {
  const id = await docker.container(service);
  const before = await docker.inspect(id);
  const start = Date.now();
  process.kill(before.State.Pid, "SIGKILL");
  await until(`${service} has been started again`, async () => {
    const { RestartCount } = await docker.inspect(id);
    return RestartCount > before.RestartCount && (await docker.isHealthy(id));
  });
  return `${service} died by SIGKILL and was healthy again after ${((Date.now() - start) / 1000).toFixed(1)} s`;
}

function startLoad(ann: Someone, bob: Someone) {
  const accepted: string[] = [];
  let refused = 0;
  let running = true;
  const write = async () => {
    const { task } = await ann.mesh.tasks.createTask({ task: { title: "Water the plants" } });
    const taskId = task?.taskId ?? "";
    await ann.mesh.tasks.shareTask({ taskId, email: bob.email, role: Role.VIEWER });
    accepted.push(taskId);
  };
  const loop = async () => {
    while (running) {
      await write().catch(() => {
        refused += 1;
      });
      await delay(pauseMs);
    }
  };
  const done = Promise.all([loop(), loop()]);
  return {
    stop: async () => {
      running = false;
      await done;
      return { accepted, refused };
    },
  };
}

async function inbox({ mesh }: Someone): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (let pageToken = ""; ; ) {
    const page = await mesh.notifications.listNotifications({ pageSize: 100, pageToken });
    for (const { taskId } of page.notifications) found.set(taskId, (found.get(taskId) ?? 0) + 1);
    if (page.nextPageToken === "") return found;
    pageToken = page.nextPageToken;
  }
}

async function allTasks({ mesh }: Someone): Promise<string[]> {
  const found: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await mesh.tasks.listTasks({ pageSize: 100, pageToken });
    found.push(...page.tasks.map(({ taskId }) => taskId));
    if (page.nextPageToken === "") return found;
    pageToken = page.nextPageToken;
  }
}
