import assert from "node:assert/strict";
import { processes } from "../../../cli/topology.ts";
import { type Docker, project } from "../docker.ts";
import { memberNames, type Stack } from "../stack.ts";

/** Each container has the secrets that are its own, and no other secret of the system. */
export async function keys({ docker }: Stack): Promise<string[]> {
  const lines: string[] = [];
  for (const name of memberNames) {
    const id = await docker.container(name);
    const { Mounts } = await docker.inspect(id);
    const mounts = Mounts.filter(({ Destination }) => Destination.startsWith("/keys"));
    assert.deepEqual(
      mounts.map(({ Name, RW }) => [Name, RW]),
      [[`${project}_keys-${name}`, false]],
    );
    const content = await filesIn(docker, id);
    const files = [...content.keys()].sort();
    const { database, variables } = processes[name];
    const expected = [
      ...(variables.includes("AUTH_KEY_SECRET_FILE") ? ["auth-key-secret"] : []),
      ...(database ? ["database-url"] : []),
      "identity.jwk.json",
      ...(variables.includes("PUSH_VAPID_KEY_FILE") ? ["push-vapid-keys.json"] : []),
      "services.jwks.json",
      ...(variables.includes("WEBHOOK_KEY_SECRET_FILE") ? ["webhook-key-secret"] : []),
    ];
    assert.deepEqual(files, expected);
    const key = JSON.parse(content.get("identity.jwk.json") ?? "") as { kid: string; d?: string };
    const { keys: known } = JSON.parse(content.get("services.jwks.json") ?? "") as { keys: { d?: string }[] };
    assert.equal(key.kid, name);
    assert.ok(key.d !== undefined && known.every(({ d }) => d === undefined), `${name} knows a key of another`);
    lines.push(`${name}: ${files.join(", ")}`);
  }
  const server = await docker.container("postgres");
  const attempt = `PGPASSWORD="$(cat /keys/task)" psql -h 127.0.0.1 -U task -tAc 'select current_user' -d`;
  assert.equal(await docker.bash(server, `${attempt} task`), "task");
  await assert.rejects(docker.bash(server, `${attempt} auth`), /permission denied/);
  lines.push("postgres: the role of task enters the database task, and is refused at the database auth");
  return lines;
}

/** The files that a container finds in its folder of keys, by name. */
async function filesIn(docker: Docker, id: string): Promise<Map<string, string>> {
  const output = await docker.bash(id, `cd /keys && for file in *; do echo "== $file"; cat "$file"; echo; done`);
  const parts = output.split(/^== /m).filter((part) => part !== "");
  return new Map(parts.map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1)]));
}
