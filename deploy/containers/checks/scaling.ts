import assert from "node:assert/strict";
import { Taskmesh } from "../../../clients/typescript/src/client.ts";
import { until } from "../command.ts";
import { allHealthy, type Stack } from "../stack.ts";

const wanted = { task: 3, consumers: 2 };

/** `--scale` adds containers, which DNS tells Envoy of, and Kafka gives partitions to. */
export async function scaling({ docker, edge }: Stack): Promise<string[]> {
  const flags = Object.entries(wanted).flatMap(([name, count]) => ["--scale", `${name}=${count}`]);
  await docker.compose(["up", "--detach", "--no-recreate", ...flags]);
  for (const [name, count] of Object.entries(wanted)) assert.equal((await docker.containers(name)).length, count);
  await allHealthy(docker, Object.keys(wanted));
  const mesh = new Taskmesh({ baseUrl: edge });
  const email = `scale.${crypto.randomUUID().slice(0, 8)}@example.com`;
  await mesh.auth.register({ email, password: crypto.randomUUID(), displayName: "Scale" });
  const envoy = await docker.container("envoy");
  const calls = () => callsByHost(docker.bash(envoy, clustersPage));
  const before = await calls();
  await until("every task container is called", async () => {
    await Promise.all(Array.from({ length: 20 }, () => mesh.tasks.listTasks({})));
    const now = await calls();
    return now.size === wanted.task && [...now].every(([host, count]) => count > (before.get(host) ?? 0));
  });
  const shares = [...(await calls())].map(([host, count]) => count - (before.get(host) ?? 0));
  return [`task × 3 and consumers × 2 are healthy`, `calls by task container since then: ${shares.join(", ")}`];
}

const clustersPage =
  "exec 3<>/dev/tcp/127.0.0.1/9901 && printf 'GET /clusters HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3";

async function callsByHost(page: Promise<string>): Promise<Map<string, number>> {
  const lines = (await page).matchAll(/^task::([\d.:]+)::rq_total::(\d+)/gm);
  return new Map([...lines].map(([, host = "", count]) => [host, Number(count)]));
}
