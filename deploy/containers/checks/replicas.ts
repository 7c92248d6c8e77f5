import assert from "node:assert/strict";
import { join } from "../../../cli/demo/day.ts";
import { replicaServers } from "../../compose/replicas.ts";
import { until } from "../command.ts";
import type { Docker } from "../docker.ts";
import type { Stack } from "../stack.ts";

const rounds = 20;

/** Both follow, reads are served there, and whoever has written sees it at once, even while they stand still. */
export async function replicas({ docker, edge }: Stack): Promise<string[]> {
  const followers = "select string_agg(application_name || ' ' || state, ', ' order by 1) from pg_stat_replication";
  await until("both stream", async () => /(streaming.*){2}/.test(await ask(docker, "postgres", followers)));
  const lines = [`the primary has as followers: ${await ask(docker, "postgres", followers)}`];
  for (const name of replicaServers) {
    assert.equal(await ask(docker, name, "select pg_is_in_recovery()"), "t");
    await assert.rejects(ask(docker, name, "create table x ()"), /read-only/);
  }
  const ann = await join(edge, "Ann");
  const write = async () => (await ann.mesh.tasks.createTask({ task: { title: "Seen" } })).task?.taskId ?? "";
  const served = async () => replicaReads(await docker.bash(await docker.container("task"), metricsPage));
  const first = await write();
  await until("a read is served by a replica", async () => {
    await ann.mesh.tasks.getTask({ taskId: first });
    return (await served()) > 0;
  });
  const before = await served();
  for (let round = 0; round < rounds; round += 1) await ann.mesh.tasks.listCollaborators({ taskId: first });
  lines.push(`of ${rounds} reads a replica served ${(await served()) - before}`);
  const seenAtOnce = async () => {
    const taskId = await write();
    const { tasks } = await ann.mesh.tasks.listTasks({ pageSize: 1 });
    assert.equal(tasks[0]?.taskId, taskId, "a list lacks what its owner has just written");
  };
  for (let round = 0; round < rounds; round += 1) await seenAtOnce();
  lines.push(`${rounds} lists, each after a write, lacked nothing`);
  for (const name of replicaServers) await ask(docker, name, "select pg_wal_replay_pause()");
  for (let round = 0; round < rounds; round += 1) await seenAtOnce();
  for (const name of replicaServers) await ask(docker, name, "select pg_wal_replay_resume()");
  lines.push(`nor did ${rounds} while the replicas stood still`);
  return lines;
}

async function ask(docker: Docker, server: string, sql: string): Promise<string> {
  return docker.bash(await docker.container(server), `psql -h /run/postgresql -U postgres -tAc "${sql}"`);
}

const metricsPage =
  "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /metrics HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3";

function replicaReads(page: string): number {
  return Number(/^taskmesh_db_reads_total\{[^}]*"replica"[^}]*\} (\d+)/m.exec(page)?.[1] ?? 0);
}
