import pg from "pg";

/**
 * How connections to a database are encrypted: what its URL says by `sslmode` and beside it, else PGSSLMODE. For a library
 * that takes a URL apart and leaves this out.
 */
export function encryptionOf(url: string): pg.ClientConfig["ssl"] {
  return new pg.Client({ connectionString: url }).ssl;
}
