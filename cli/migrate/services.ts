import type { MigrationEntry } from "#kit/db/migrate.ts";
import { type ServiceName, serviceNames } from "../../envoy/options.ts";
import { UserError } from "../user-error.ts";

export { serviceNames };

const tables: Readonly<Record<ServiceName, () => Promise<{ migrations: MigrationEntry[] }>>> = {
  auth: () => import("../../services/auth/db/mikro-orm.config.ts"),
  user: () => import("../../services/user/db/mikro-orm.config.ts"),
  task: () => import("../../services/task/db/mikro-orm.config.ts"),
  notification: () => import("../../services/notification/db/mikro-orm.config.ts"),
};

/** The services of that name, all of them when none is named. */
export function chosenServices(words: readonly string[]): readonly ServiceName[] {
  const wrong = words.find((word) => !serviceNames.includes(word as ServiceName));
  if (wrong !== undefined) throw new UserError(`"${wrong}" is no service: it is one of ${serviceNames.join(", ")}`);
  return words.length === 0 ? serviceNames : serviceNames.filter((name) => words.includes(name));
}

/** The steps of a service's schema, in their order. */
export async function migrationsOf(service: ServiceName): Promise<MigrationEntry[]> {
  return (await tables[service]()).migrations;
}
