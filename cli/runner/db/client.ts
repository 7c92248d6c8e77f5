import pg from "pg";

export interface ClientOptions {
  applicationName: string;
  /** How long connecting may take, in milliseconds. */
  connectMs?: number;
  /** How long a query may take, in milliseconds. */
  queryMs?: number;
}

/** Runs `fn` with a session of its own, which ends with it. Rejects with the driver's error. */
export async function withClient<T>(
  url: string,
  { applicationName, connectMs = 5_000, queryMs }: ClientOptions,
  fn: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: connectMs,
    query_timeout: queryMs,
    statement_timeout: queryMs,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    return await fn(client);
  } finally {
    await client.end().catch(() => {});
  }
}
