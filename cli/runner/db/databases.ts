import pg from "pg";
import { UserError } from "../../user-error.ts";

/** Makes the databases that are missing. */
export async function ensureDatabases(adminUrl: string, names: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
    const { rows } = await client.query<{ datname: string }>("SELECT datname FROM pg_database");
    const present = new Set(rows.map((row) => row.datname));
    for (const name of names) {
      if (!present.has(name)) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
    }
  } catch (error) {
    const { code } = error as { code?: string };
    throw new UserError(
      `The databases cannot be made (${code ?? "no code"}): check POSTGRES_URL and its right to CREATE DATABASE`,
    );
  } finally {
    await client.end().catch(() => {});
  }
}

/** The same server and account, another database. */
export function databaseUrl(adminUrl: string, name: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}
