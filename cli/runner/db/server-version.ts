import { withClient } from "./client.ts";

/** The version of a PostgreSQL server: `18.4`. Rejects when it does not answer within two seconds. */
export async function readServerVersion(url: string): Promise<string> {
  return withClient(url, { applicationName: "doctor", connectMs: 2_000, queryMs: 2_000 }, async (client) => {
    const { rows } = await client.query<{ server_version: string }>("SHOW server_version");
    return rows[0]?.server_version.split(" ", 1)[0] ?? "";
  });
}
