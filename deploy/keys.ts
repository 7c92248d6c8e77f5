import { randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ensureKeys } from "../cli/runner/keys.ts";
import { databases, processes } from "../cli/topology.ts";
import { serverNames } from "./compose/parts.ts";
import {
  keyFiles,
  keysFolder,
  members,
  monitor,
  poolerOwner,
  replicaKeys,
  replication,
  type Servers,
} from "./compose/places.ts";
import { userlistOf } from "./pgbouncer.ts";

/** For programs of others, which run under ids of their own: all who have the volume may read it, and only they have it. */
const open = 0o644;

/**
 * Makes the secrets that are missing in the folder `mesh`, and copies into the folder of each owner what that one needs
 * and no more: a member its key, everyone's public keys and the address of its database; a database server the passwords
 * of its roles. What is there is kept, so that it may run again.
 */
export function handOutKeys(servers: Servers, root = keysFolder): void {
  const all = join(root, "mesh");
  const made = ensureKeys(all);
  const passwords = Object.fromEntries(databases.map((name) => [name, secret(join(all, `database-${name}`))]));
  for (const name of members) {
    const folder = join(root, name);
    const { database, variables } = processes[name];
    copy(made.identity[name] as string, place(folder, keyFiles.identity));
    copy(made.jwks, place(folder, keyFiles.jwks));
    if (variables.includes("AUTH_KEY_SECRET_FILE")) copy(made.authSecret, place(folder, keyFiles.authSecret));
    if (variables.includes("WEBHOOK_KEY_SECRET_FILE")) copy(made.webhookSecret, place(folder, keyFiles.webhookSecret));
    if (variables.includes("PUSH_VAPID_KEY_FILE")) copy(made.pushKeys, place(folder, keyFiles.pushKeys));
    if (database === undefined) continue;
    const host = servers.of(database.name);
    const url = `postgres://${database.name}:${passwords[database.name]}@${host}:5432/${database.name}`;
    write(place(folder, keyFiles.databaseUrl), url);
  }
  write(place(join(root, "ops"), keyFiles.opsToken), secret(join(all, "ops-token")));
  write(place(join(root, "grafana"), keyFiles.grafanaPassword), secret(join(all, "grafana-password")), open);
  const pooler = join(root, poolerOwner);
  if (isMounted(pooler)) write(join(pooler, "userlist.txt"), userlistOf(passwords), open);
  for (const server of serverNames(servers)) {
    const monitorPassword = secret(join(all, `${monitor}-${server}`));
    write(join(root, server, monitor), monitorPassword, open);
    const replicationPassword = secret(join(all, `${replication}-${server}`));
    write(join(root, server, replication), replicationPassword, open);
    const followers = join(root, replicaKeys);
    if (isMounted(followers)) write(join(followers, replication), replicationPassword, open);
    if (server === servers.monitored) {
      const url = `postgres://${monitor}:${monitorPassword}@${server}:5432/postgres`;
      write(place(join(root, "ops"), keyFiles.databaseUrl), url);
    }
    for (const name of databases.filter((database) => servers.of(database) === server)) {
      write(join(root, server, name), passwords[name] as string, open);
    }
    // The last one: a server without it does not begin, and one that begins needs all of them.
    write(join(root, server, "superuser"), secret(join(all, `superuser-${server}`)), open);
  }
}

/** Whether there is a volume for an owner that not every set-up has: without one the folder is the image's, which cannot be changed. */
function isMounted(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function place(folder: string, file: string): string {
  return join(folder, basename(file));
}

function copy(from: string, to: string): void {
  write(to, readFileSync(from, "utf8"));
}

/** The secret in a file, made when there is none; letters that need no escape in a URL. */
function secret(file: string): string {
  if (!existsSync(file)) write(file, randomBytes(24).toString("base64url"));
  return readFileSync(file, "utf8").trim();
}

function write(file: string, text: string, mode = 0o600): void {
  writeFileSync(`${file}.draft`, text, { mode });
  renameSync(`${file}.draft`, file);
}
