import assert from "node:assert/strict";
import { databases, processes } from "../../../cli/topology.ts";
import { memberNames, type Stack } from "../stack.ts";

/** Every server has one database and its role; a member reaches the server of its own, and no other. */
export async function isolation({ docker }: Stack): Promise<string[]> {
  const lines: string[] = [];
  for (const database of databases) {
    const id = await docker.container(`postgres-${database}`);
    const ask = (sql: string) => docker.bash(id, `psql -h /run/postgresql -U postgres -tAc "${sql}"`);
    const found = await ask(
      "select string_agg(datname, ' ') from pg_database where datname !~ '^(postgres|template.)$'",
    );
    const roles = await ask(`select count(*) from pg_roles where rolname in ('${databases.join("', '")}')`);
    assert.deepEqual([found, roles], [database, "1"]);
    lines.push(`postgres-${database} has the database ${found}, and of the services' roles that one`);
  }
  for (const name of memberNames) {
    const attempts = databases.map(
      (database) => `timeout 5 bash -c 'exec 3<>/dev/tcp/postgres-${database}/5432' 2> /dev/null && echo ${database}`,
    );
    const reached = await docker.bash(await docker.container(name), `${attempts.join("; ")}; true`);
    assert.equal(reached, processes[name].database?.name ?? "", `${name} reaches ${reached}`);
    lines.push(`${name} reaches ${reached === "" ? "no server" : `postgres-${reached} and no other`}`);
  }
  return lines;
}
