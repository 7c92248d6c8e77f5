import { Migration, Migrator } from "@mikro-orm/migrations";
import { MikroORM } from "@mikro-orm/postgresql";
import pg from "pg";
import { encryptionOf } from "./encryption.ts";

/** One step of a schema, as listed by hand in a service's db/migrations/index.ts. */
export interface MigrationEntry {
  /** `Migration<UTC timestamp>_<slug>`; never changes once it has run somewhere. */
  name: string;
  class: new (...args: ConstructorParameters<typeof Migration>) => Migration;
}

/** A migration that is nothing but SQL, each statement on its own. */
export function sqlMigration(name: string, up: readonly string[], down: readonly string[]): MigrationEntry {
  return {
    name,
    class: class extends Migration {
      override up(): void {
        for (const sql of up) this.addSql(sql);
      }
      override down(): void {
        for (const sql of down) this.addSql(sql);
      }
    },
  };
}

// One lock per database; the number is arbitrary and must never change.
const lockKey = 7_305_402_771;

/**
 * Brings the schema up to date. Any number of processes may call this at once: one migrates, the others wait for it.
 * Migrations that this program does not know (a newer one has run already) are left alone.
 */
export async function migrate(connection: pg.ClientConfig, migrations: MigrationEntry[]): Promise<string[]> {
  const client = new pg.Client({ ...connection, keepAlive: true });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query("SELECT pg_advisory_lock($1)", [lockKey]);
    const done = await executed(client);
    if (migrations.every(({ name }) => done.has(name))) return [];
    return await run(connection, migrations);
  } finally {
    await client.end();
  }
}

/** The steps that this database still lacks. Throws when nothing can be written to it, as to a replica. */
export async function pendingMigrations(connection: pg.ClientConfig, migrations: MigrationEntry[]): Promise<string[]> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ closed: boolean }>(
      "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS closed",
    );
    if (rows[0]?.closed) throw new Error("it is a replica, or read-only: name the primary");
    const done = await executed(client);
    return migrations.map(({ name }) => name).filter((name) => !done.has(name));
  } finally {
    await client.end();
  }
}

async function executed(client: pg.Client): Promise<Set<string>> {
  const { rows: tables } = await client.query("SELECT to_regclass('mikro_orm_migrations') IS NOT NULL AS present");
  if (!tables[0].present) return new Set();
  const { rows } = await client.query<{ name: string }>("SELECT name FROM mikro_orm_migrations");
  return new Set(rows.map(({ name }) => name));
}

async function run(connection: pg.ClientConfig, migrations: MigrationEntry[]): Promise<string[]> {
  const orm = new MikroORM({
    clientUrl: connection.connectionString,
    entities: [],
    logger: () => {},
    discovery: { warnWhenNoEntities: false },
    extensions: [Migrator],
    pool: { min: 0, max: 2 },
    driverOptions: {
      application_name: connection.application_name,
      ssl: encryptionOf(connection.connectionString ?? ""),
    },
    migrations: { migrationsList: migrations, transactional: true, allOrNothing: false, snapshot: false },
  });
  try {
    const ran = await orm.migrator.up();
    return ran.map(({ name }) => name);
  } finally {
    await orm.close(true);
  }
}
