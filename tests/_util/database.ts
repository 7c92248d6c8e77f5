import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";

export type TestDatabase = {
  url: string;
  /** Removes the database, cutting off whoever is still connected. */
  drop(): Promise<void>;
};

/** An empty database of one test file; the name only helps to recognise it. */
export async function createTestDatabase(name: string): Promise<TestDatabase> {
  const admin = inject("postgres");
  const database = `test_${name.replaceAll(/\W/g, "_").toLowerCase()}_${randomBytes(6).toString("hex")}`;
  await run(admin, `CREATE DATABASE ${database}`);
  const url = new URL(admin);
  url.pathname = `/${database}`;
  return { url: url.href, drop: () => run(admin, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`) };
}

/** A pool by which a test looks into a database. */
export function testPool(url: string, max: number): pg.Pool {
  // Its end does not wait for its connections, and `drop` cuts off those that are still closing.
  return new pg.Pool({ connectionString: url, max }).on("error", () => {});
}

async function run(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
