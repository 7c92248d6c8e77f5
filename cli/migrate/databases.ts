import { env, readEnv } from "#kit/env.ts";
import { databaseUrl, ownUrl } from "../runner/db/databases.ts";
import type { Home } from "../runner/home.ts";
import * as postgres from "../runner/parts/postgres.ts";
import { readState } from "../runner/state.ts";
import { UserError } from "../user-error.ts";

const schemes = ["postgres", "postgresql"];

/**
 * Where the database of a service is: as the service itself is told by the environment, else on the server of
 * POSTGRES_URL, else in the mesh that runs here.
 */
export async function databaseOf(service: string, home: Home, source = process.env): Promise<string> {
  const variable = `${service.toUpperCase()}_DB_URL`;
  const { own, server } = readEnv(
    { own: env.optional(env.url(variable, schemes)), server: env.optional(env.url("POSTGRES_URL", schemes)) },
    source,
  );
  if (own !== undefined) return own;
  if (server !== undefined) return databaseUrl(server, service);
  const port = readState(home.stateFile)?.instances.find(({ name }) => name === "postgres")?.ports.sql;
  if (port === undefined) {
    throw new UserError(`No database of ${service} is known: set ${variable} or POSTGRES_URL, or start the mesh`);
  }
  return ownUrl(await postgres.addressOf({ port, passwordFile: `${home.keys}/postgres-password` }), service);
}
