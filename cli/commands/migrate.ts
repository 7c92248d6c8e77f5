import { migrate as bringUpToDate, pendingMigrations } from "#kit/db/migrate.ts";
import { databaseOf } from "../migrate/databases.ts";
import { chosenServices, migrationsOf } from "../migrate/services.ts";
import { findHome } from "../runner/home.ts";
import { messageOf, UserError } from "../user-error.ts";
import { printJson, progressLine } from "./output.ts";

interface MigrateOptions {
  dryRun?: boolean;
  json?: boolean;
}

/**
 * `mesh migrate [services…]`: brings schemas up to date before a release. Services do the same when they start; any
 * number may try at once. A database that cannot be written to, as a replica, is refused.
 */
export async function migrate(
  words: readonly string[],
  { dryRun = false, json = false }: MigrateOptions,
): Promise<void> {
  const home = findHome();
  const outcome: Record<string, string[]> = {};
  for (const service of chosenServices(words)) {
    const url = await databaseOf(service, home);
    const connection = { connectionString: url, application_name: "mesh-migrate" };
    const entries = await migrationsOf(service);
    try {
      const pending = await pendingMigrations(connection, entries);
      if (!dryRun && pending.length > 0) progressLine(`${service}: ${pending.length} to do`);
      outcome[service] = dryRun || pending.length === 0 ? pending : await bringUpToDate(connection, entries);
    } catch (error) {
      const { hostname, port, pathname } = new URL(url);
      throw new UserError(`${service}: ${hostname}:${port || 5432}${pathname} was not migrated: ${messageOf(error)}`);
    }
  }
  if (json) return printJson(outcome);
  for (const [service, names] of Object.entries(outcome)) {
    const told = names.length === 0 ? "up to date" : `${dryRun ? "to do" : "done"}: ${names.join(", ")}`;
    process.stdout.write(`${service}: ${told}\n`);
  }
}
