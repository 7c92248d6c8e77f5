import type { EnvSchema } from "#kit/env.ts";
import { environment as stopping } from "#kit/lifecycle.ts";
import { environment as mail } from "../../cli/mail/config.ts";
import type { ProcessName } from "../../cli/topology.ts";
import { environment as consumers } from "../../consumers/config.ts";
import { environment as gateway } from "../../gateway/config.ts";
import { environment as everyProcess } from "../../observability/config.ts";
import { environment as auth } from "../../services/auth/config.ts";
import { environment as notification } from "../../services/notification/config.ts";
import { environment as task } from "../../services/task/config.ts";
import { environment as user } from "../../services/user/config.ts";

const schemas: Record<ProcessName, EnvSchema> = { auth, user, task, notification, gateway, consumers, mail };

/**
 * Not for whoever brings the containers up to say: each replica has an id of its own, a path means nothing inside a
 * container, and `setup` hands out the addresses of the databases.
 */
const own = /^SERVICE_INSTANCE_ID$|_FILE$|_DB_(\w+_)?URL$/;

/**
 * What a process reads and is not told: taken from the environment in which the containers are brought up, and left out
 * where that does not have it (which is what a compose file means by a variable without a value).
 */
export function passedOn(name: ProcessName, told: readonly string[]): Record<string, null> {
  const everybodys = name === "mail" ? {} : { ...everyProcess, ...stopping };
  const read = Object.values<EnvSchema[string]>({ ...everybodys, ...schemas[name] }).map(({ variable }) => variable);
  const passed = [...new Set(read)].filter((variable) => !told.includes(variable) && !own.test(variable));
  return Object.fromEntries(passed.sort().map((variable) => [variable, null]));
}
