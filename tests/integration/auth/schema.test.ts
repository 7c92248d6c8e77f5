import { Migrator } from "@mikro-orm/migrations";
import { MikroORM } from "@mikro-orm/postgresql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase, schemaDrift } from "#kit/db/database.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import * as auth from "../../../services/auth/db/mikro-orm.config.ts";
import * as user from "../../../services/user/db/mikro-orm.config.ts";
import { createTestDatabase, type TestDatabase } from "../../_util/database.ts";

describe.each([
  ["auth", auth],
  ["user", user],
] as const)("the schema of %s", (name, config) => {
  let made: TestDatabase;
  let database: Database;
  const lifecycle = new Lifecycle();

  beforeAll(async () => {
    made = await createTestDatabase(name);
    database = await openDatabase({ url: made.url, ...config, lifecycle, applicationName: "schema-test" });
  });
  afterAll(async () => {
    await lifecycle.stop();
    await made.drop();
  });

  it("is what the entities say", async () => {
    expect(await schemaDrift(database)).toBe("");
  });

  it("can be taken back and made again", async () => {
    const orm = new MikroORM({
      clientUrl: made.url,
      discovery: { warnWhenNoEntities: false },
      extensions: [Migrator],
      logger: () => {},
      migrations: { migrationsList: config.migrations, snapshot: false },
    });
    const tables = async () => {
      const rows = await database.query<{ name: string }>(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
      );
      return rows.map((row) => row.name);
    };
    const before = await tables();
    await orm.migrator.down({ to: 0 });
    expect(await tables()).toEqual(["mikro_orm_migrations"]);
    await orm.migrator.up();
    expect(await tables()).toEqual(before);
    await orm.close(true);
  });
});
