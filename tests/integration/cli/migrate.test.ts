import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MigrationEntry } from "#kit/db/migrate.ts";
import { pendingMigrations, sqlMigration } from "#kit/db/migrate.ts";
import { databaseOf } from "../../../cli/migrate/databases.ts";
import { chosenServices, migrationsOf, serviceNames } from "../../../cli/migrate/services.ts";
import { findHome } from "../../../cli/runner/home.ts";
import { UserError } from "../../../cli/user-error.ts";
import { createTestDatabase, type TestDatabase, testPool } from "../../_util/database.ts";
import { run } from "../health/processes.ts";

let databases: Map<string, TestDatabase>;
beforeAll(async () => {
  const made = serviceNames.map(async (name) => [name, await createTestDatabase(`migrate ${name}`)] as const);
  databases = new Map(await Promise.all(made));
});
afterAll(async () => {
  for (const database of databases.values()) await database.drop();
});

const urls = (change = (url: string) => url) =>
  Object.fromEntries([...databases].map(([name, { url }]) => [`${name.toUpperCase()}_DB_URL`, change(url)]));

async function mesh(args: readonly string[], env: Record<string, string>) {
  const program = run("cli/mesh.ts", { MESH_HOME: "/nonexistent", ...env }, ["migrate", ...args]);
  return { code: await program.ended, output: program.output().trim() };
}

const namesOf = async () =>
  Object.fromEntries(
    await Promise.all(serviceNames.map(async (name) => [name, (await migrationsOf(name)).map((entry) => entry.name)])),
  );

/** What a migration does to a schema that programs of the version before cannot bear. */
async function narrowing({ class: Step }: MigrationEntry): Promise<string[]> {
  const step = new Step({} as never, {} as never);
  await step.up();
  const narrow =
    /\b(drop (table|column|constraint|index)|rename|set not null|alter column \w+ (set data )?type)\b|add column (?!.*\bdefault\b).*\bnot null\b/i;
  const queries = step.getQueries().map(String);
  // A uniqueness that comes back under its name for some of the rows only forbids less than before.
  const isLoosened = (sql: string) => {
    const [, name] = /^alter table \w+ drop constraint (\w+)$/i.exec(sql) ?? [];
    return queries.some((query) => new RegExp(`^create unique index ${name} on [^;]+ where `, "is").test(query));
  };
  return queries.filter((sql) => narrow.test(sql) && !isLoosened(sql));
}

describe("`mesh migrate` [004.21]", () => {
  it("refuses a database that cannot be written to, as a replica, and says what is not known", async () => {
    const readOnly = urls((url) => `${url}?options=-c%20default_transaction_read_only%3Don`);
    const refused = await mesh(["task"], readOnly);
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/^task: \S+ was not migrated: it is a replica, or read-only: name the primary$/);
    const home = findHome("/nonexistent");
    await expect(databaseOf("user", home, {})).rejects.toThrow(
      new UserError("No database of user is known: set USER_DB_URL or POSTGRES_URL, or start the mesh"),
    );
    expect(await databaseOf("user", home, { POSTGRES_URL: "postgres://me@host/postgres" })).toBe(
      "postgres://me@host/user",
    );
    expect(() => chosenServices(["tusk"])).toThrow(
      /^"tusk" is no service: it is one of auth, user, task, notification$/,
    );
  });

  it("says what there is to do, does it once, and then has nothing to do", async () => {
    const all = await namesOf();
    const planned = await mesh(["--dry-run", "--json"], urls());
    expect(JSON.parse(planned.output)).toEqual(all);
    const task = testPool(databases.get("task")?.url as string, 1);
    expect((await task.query("SELECT to_regclass('task') AS task")).rows).toEqual([{ task: null }]);
    const done = await mesh([], urls());
    expect(done.code).toBe(0);
    for (const name of serviceNames) expect(done.output).toContain(`${name}: done: ${all[name]?.join(", ")}`);
    expect((await task.query("SELECT to_regclass('task')::text AS task")).rows).toEqual([{ task: "task" }]);
    await task.end();
    for (const name of serviceNames) {
      const connection = { connectionString: databases.get(name)?.url as string };
      expect(await pendingMigrations(connection, await migrationsOf(name))).toEqual([]);
    }
  });

  it("only ever widens a schema, so that the version before goes on with it; what narrows one is a release of its own", async () => {
    for (const name of serviceNames) {
      const contracting = (await migrationsOf(name)).filter((entry) => !entry.name.endsWith("_contract"));
      expect(contracting.length).toBeGreaterThan(0);
      for (const entry of contracting) expect([entry.name, await narrowing(entry)]).toEqual([entry.name, []]);
    }
    for (const sql of [
      "alter table task drop column title",
      "ALTER TABLE task RENAME COLUMN a TO b",
      "alter table task alter column title set not null",
      "alter table task alter column count type bigint",
      "alter table task add column colour text not null",
      "alter table task drop constraint task_key",
    ]) {
      expect(await narrowing(sqlMigration("Migration20261121000099_narrow", [sql], []))).toEqual([sql]);
    }
  });
});
