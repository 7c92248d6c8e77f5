import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Database } from "#kit/db/database.ts";
import { migrate, sqlMigration } from "#kit/db/migrate.ts";
import { createTestDatabase, type TestDatabase } from "../../_util/database.ts";

let own: TestDatabase;
beforeEach(async () => {
  own = await createTestDatabase("migrations");
});
afterEach(() => own.drop());

async function rows(sql: string): Promise<unknown[]> {
  const database = new Database({ url: own.url, entities: [], applicationName: "migrations-test" });
  try {
    return await database.query(sql);
  } finally {
    await database.close();
  }
}

test("three processes that start at once migrate once", async () => {
  const script = fileURLToPath(new URL("./migrate-process.ts", import.meta.url));
  const start = () => promisify(execFile)(process.execPath, [script, own.url]);
  const outputs = await Promise.all([start(), start(), start()]);
  const ran = outputs.map(({ stdout }) => JSON.parse(stdout) as string[]).sort((a, b) => a.length - b.length);
  expect(ran).toEqual([[], [], ["Migration20261121000010_first", "Migration20261121000011_second"]]);
  expect(await rows("SELECT id FROM first")).toEqual([{ id: 1 }]);
});

test("a program leaves alone what a newer one has migrated", async () => {
  const old = sqlMigration("Migration20261121000020_old", ["CREATE TABLE old (id int)"], []);
  const newer = sqlMigration("Migration20261121000021_newer", ["CREATE TABLE newer (id int)"], []);
  expect(await migrate({ connectionString: own.url }, [old, newer])).toHaveLength(2);
  expect(await migrate({ connectionString: own.url }, [old])).toEqual([]);
  expect(await rows("SELECT id FROM newer")).toEqual([]);
});

test("a migration that fails leaves nothing behind and runs again once it is right", async () => {
  const name = "Migration20261121000030_half";
  const wrong = sqlMigration(name, ["CREATE TABLE half (id int)", "SELECT nonsense"], []);
  await expect(migrate({ connectionString: own.url }, [wrong])).rejects.toThrow();
  const right = sqlMigration(name, ["CREATE TABLE half (id int)"], []);
  expect(await migrate({ connectionString: own.url }, [right])).toEqual([name]);
});
