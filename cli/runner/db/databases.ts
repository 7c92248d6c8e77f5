import { hkdfSync } from "node:crypto";
import type pg from "pg";
import { UserError } from "../../user-error.ts";
import { withClient } from "./client.ts";

const maker = { applicationName: "databases", connectMs: 10_000 };

/** Makes the databases that are missing. */
export async function ensureDatabases(adminUrl: string, names: readonly string[]): Promise<void> {
  await withClient(adminUrl, maker, async (client) => {
    const { rows } = await client.query<{ datname: string }>("SELECT datname FROM pg_database");
    const present = new Set(rows.map((row) => row.datname));
    for (const name of names) {
      if (!present.has(name)) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
    }
  }).catch(({ code }: { code?: string }) => {
    throw new UserError(
      `The databases cannot be made (${code ?? "no code"}): check POSTGRES_URL and its right to CREATE DATABASE`,
    );
  });
}

/** The same server and account, another database. */
export function databaseUrl(adminUrl: string, name: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}

/** The same server, with the account to which a database belongs: it has the database's name. */
export function ownUrl(adminUrl: string, name: string): string {
  const url = new URL(databaseUrl(adminUrl, name));
  url.username = name;
  url.password = rolePassword(adminUrl, name);
  return url.href;
}

/**
 * Gives each database, and whatever is in it, to an account of its own, which alone may connect to it. For a server of
 * ours: the account of somebody else's may not be allowed to.
 */
export async function ensureOwners(adminUrl: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await withClient(databaseUrl(adminUrl, name), maker, (client) =>
      giveDatabase(client, name, rolePassword(adminUrl, name)),
    );
  }
}

async function giveDatabase(client: pg.Client, name: string, secret: string): Promise<void> {
  const [role, password] = [client.escapeIdentifier(name), client.escapeLiteral(secret)];
  const known = await client.query("SELECT FROM pg_roles WHERE rolname = $1", [name]);
  await client.query(`${known.rowCount ? "ALTER" : "CREATE"} ROLE ${role} LOGIN PASSWORD ${password}`);
  const owned = await client.query(
    "SELECT FROM pg_database WHERE datname = current_database() AND datdba = $1::regrole",
    [role],
  );
  if (owned.rowCount) return;
  await client.query("BEGIN");
  await giveAll(client, role);
  await client.query(`ALTER DATABASE ${role} OWNER TO ${role}`);
  await client.query(`REVOKE CONNECT ON DATABASE ${role} FROM PUBLIC`);
  await client.query("COMMIT");
}

/** What an administrator had made in the database so far. Sequences of columns go with their tables. */
const others = `
SELECT format('ALTER TABLE %s OWNER TO ', c.oid::regclass) AS give FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT format('ALTER SEQUENCE %s OWNER TO ', c.oid::regclass) FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i'))
UNION ALL
SELECT format('ALTER ROUTINE %s OWNER TO ', p.oid::regprocedure) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
UNION ALL
SELECT format('ALTER TYPE %s OWNER TO ', t.oid::regtype) FROM pg_type t
WHERE t.typnamespace = 'public'::regnamespace AND t.typtype = 'e'`;

async function giveAll(client: pg.Client, role: string): Promise<void> {
  const { rows } = await client.query<{ give: string }>(others);
  for (const { give } of rows) await client.query(give + role);
}

function rolePassword(adminUrl: string, name: string): string {
  const { password } = new URL(adminUrl);
  return Buffer.from(hkdfSync("sha256", decodeURIComponent(password), "", `taskmesh role ${name}`, 24)).toString(
    "base64url",
  );
}
