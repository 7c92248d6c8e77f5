import pg from "pg";

/** The version of a PostgreSQL server: `18.4`. Rejects when it does not answer within two seconds. */
export async function readServerVersion(url: string): Promise<string> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "doctor",
    connectionTimeoutMillis: 2000,
    query_timeout: 2000,
  });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version: string }>("SHOW server_version");
    return rows[0]?.server_version.split(" ", 1)[0] ?? "";
  } finally {
    await client.end().catch(() => {});
  }
}
