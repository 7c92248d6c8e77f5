import { Migrator } from "@mikro-orm/migrations";
import { MikroORM } from "@mikro-orm/postgresql";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Database, openDatabase, schemaDrift } from "#kit/db/database.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { entities, migrations } from "../../../services/task/db/mikro-orm.config.ts";
import { createTestDatabase, type TestDatabase } from "../../_util/database.ts";

let scratch: TestDatabase;
let database: Database;
const lifecycle = new Lifecycle();
beforeAll(async () => {
  scratch = await createTestDatabase("task schema");
  database = await openDatabase({ url: scratch.url, entities, migrations, lifecycle, applicationName: "test" });
});
afterAll(async () => {
  await lifecycle.stop();
  await scratch.drop();
});

it("is the same in the entities and after the migrations", async () => {
  expect(await schemaDrift(database)).toBe("");
  await database.query("DROP INDEX task_status");
  expect(await schemaDrift(database)).toContain("task_status");
  await database.query("CREATE INDEX task_status ON task (status)");
});

it("can be taken back, and put up again", async () => {
  const own = await createTestDatabase("task schema down");
  const orm = new MikroORM({
    clientUrl: own.url,
    entities: [],
    logger: () => {},
    discovery: { warnWhenNoEntities: false },
    extensions: [Migrator],
    migrations: { migrationsList: migrations, snapshot: false },
  });
  const tables = async () => {
    const rows = await orm.em
      .getConnection()
      .execute(
        "SELECT count(*)::int AS count FROM pg_class WHERE relname IN ('task', 'collaborator', 'comment', 'label', 'task_activity', 'outbox_event')",
      );
    return rows[0]?.count;
  };
  await orm.migrator.up();
  expect(await tables()).toBe(6);
  await orm.migrator.down({ to: 0 });
  expect(await tables()).toBe(0);
  await orm.migrator.up();
  expect(await tables()).toBe(6);
  await orm.close(true);
  await own.drop();
});

it("answers what is asked often from indexes [001.06]", async () => {
  await database.query(`
    INSERT INTO task SELECT gen_random_uuid(), ('00000000-0000-7000-8000-' || lpad((n % 20)::text, 12, '0'))::uuid, 'x', '',
      CASE WHEN n % 97 = 0 THEN 3 ELSE 1 END, 0, NULL, NULL, NULL, NULL, '{}', '{}', NULL, NULL, NULL, NULL, NULL,
      timestamptz '2026-01-01' + n * interval '1 minute', now(), NULL, NULL, 1, 1 FROM generate_series(1, 20000) n`);
  await database.query("INSERT INTO collaborator SELECT task_id, owner_id, 4, create_time, create_time FROM task");
  await database.query("ANALYZE task, collaborator");
  const user = "'00000000-0000-7000-8000-000000000007'";
  const plans: [string, string][] = [
    [`SELECT * FROM task WHERE owner_id = ${user}`, "task_owner_id_status"],
    ["SELECT * FROM task WHERE status = 3", "task_status"],
    ["SELECT * FROM task WHERE create_time > '2026-01-14 21:00'", "task_create_time"],
    [`SELECT * FROM task WHERE owner_id = ${user} AND status = 3`, "task_owner_id_status"],
    [`SELECT * FROM task WHERE parent_task_id = ${user}`, "task_parent"],
    [`SELECT * FROM task WHERE task_id = ${user}`, "task_pkey"],
    [
      `SELECT t.* FROM collaborator c JOIN task t ON t.task_id = c.task_id WHERE c.user_id = ${user} AND t.delete_time IS NULL
         AND (c.task_create_time, c.task_id) < ('2026-01-05', ${user}) ORDER BY c.task_create_time DESC, c.task_id DESC LIMIT 51`,
      "collaborator_user_newest",
    ],
    [
      `SELECT * FROM comment WHERE task_id = ${user} AND (create_time, comment_id) > ('2026-01-01', ${user}) ORDER BY create_time, comment_id LIMIT 51`,
      "comment_task",
    ],
    [`SELECT * FROM label WHERE owner_id = ${user} AND name_key = ANY('{a,b}')`, "label_owner_name"],
  ];
  for (const [sql, index] of plans) {
    const lines = await database.query<{ "QUERY PLAN": string }>(`EXPLAIN ${sql}`);
    const plan = lines.map((line) => line["QUERY PLAN"]).join("\n");
    expect(plan).toMatch(new RegExp(`(using|on) ${index}\\b`));
    expect(plan).not.toContain("Seq Scan on task");
    if (index === "collaborator_user_newest") expect(plan).not.toContain("Sort");
  }
});
