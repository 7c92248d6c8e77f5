import assert from "node:assert/strict";
import { readFile, utimes } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { until } from "../command.ts";
import { checkout } from "../docker.ts";
import type { Stack } from "../stack.ts";

const file = "services/task/main.ts";

/** A member runs the checkout's files, starts anew when one of them changes, and can be asked from the machine. */
export async function development({ docker, environment }: Stack): Promise<string[]> {
  const id = await docker.container("task");
  const path = join(checkout, file);
  assert.equal(await docker.bash(id, `cat ${file}`), (await readFile(path, "utf8")).trim());
  const { NetworkSettings } = await docker.inspect(id);
  const admin = NetworkSettings.Ports["9464/tcp"]?.[0];
  assert.equal(admin?.HostIp, "127.0.0.1");
  const isReady = async () => (await fetch(`http://127.0.0.1:${admin?.HostPort}/ready`)).ok;
  await until("the task service is ready", isReady);
  const restarts = async () => (await docker.run(["logs", id])).match(/^Restarting /gm)?.length ?? 0;
  const before = await restarts();
  const now = new Date();
  await utimes(path, now, now);
  await until("the process starts anew", async () => (await restarts()) > before);
  await until("it is ready again", isReady);
  const { RestartCount } = await docker.inspect(id);
  assert.equal(RestartCount, 0, "the container itself went down");
  for (const variable of ["POSTGRES_PORT", "REDIS_PORT"]) await connected(Number(environment[variable]));
  return [
    `task runs ${file} of the checkout`,
    "when the file changed, the process started anew and was ready again, in the same container",
    "PostgreSQL, Redis and each member's own page are reached on loopback",
  ];
}

function connected(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", reject);
  });
}
