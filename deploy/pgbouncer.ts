import { sessionLimits } from "#kit/db/session-limits.ts";
import { databases, processes, processNames } from "../cli/topology.ts";

/** Where the file is kept, for containers and a cluster alike. */
export const pgbouncerFile = "deploy/kubernetes/components/pgbouncer/pgbouncer.ini";

/** What a PostgreSQL of ours takes (max_connections), and how many of them are for those who come past the pooler. */
const serverConnections = 400;
const keptForOthers = 80;
/** The most that one process opens: its pool, and a few sessions of its own. */
const ofOneProcess = 16;

export interface PoolerOptions {
  listen: { host: string; port: number };
  server: { host: string; port: number };
  /** The file with the accounts: "name" "password". */
  userlist: string;
  /** How the server calls a database of ours; as we do unless given. */
  nameOf?: (database: string) => string;
  /** Settings in place of the usual ones. */
  settings?: Readonly<Record<string, string | number>>;
}

/**
 * The configuration of PgBouncer before our databases. Sessions are lent for a transaction; prepared statements live
 * through that from version 1.21 on.
 */
export function pgbouncerConfig({ listen, server, userlist, nameOf = String, settings }: PoolerOptions): string {
  const instances = processNames
    .filter((name) => processes[name].database !== undefined)
    .reduce((sum, name) => sum + processes[name].replicas.heavy, 0);
  const limits = Object.entries(sessionLimits).map(([name, ms]) => `SET ${name} = ${ms}`);
  const place = `host=${server.host} port=${server.port}`;
  const all: Record<string, string | number> = {
    listen_addr: listen.host,
    listen_port: listen.port,
    unix_socket_dir: "",
    auth_type: "scram-sha-256",
    auth_file: userlist,
    pool_mode: "transaction",
    // More than a process has names for: what is left over would be prepared anew all the time.
    max_prepared_statements: 500,
    default_pool_size: (serverConnections - keptForOthers) / databases.length,
    // Twice what the largest profile opens, so that a release has room for old and new.
    max_client_conn: 2 * instances * ofOneProcess,
    // A call gives up after two seconds, and with it its place in the queue.
    query_wait_timeout: 5,
    server_connect_timeout: 3,
    server_login_retry: 1,
    // The services say these when they connect; each session has them from the connect_query.
    ignore_startup_parameters: ["extra_float_digits", ...Object.keys(sessionLimits)].join(","),
    log_connections: 0,
    log_disconnections: 0,
    ...settings,
  };
  return [
    "; Made by `npm run compose`; a test compares them.",
    "[databases]",
    ...databases.map((name) => `${name} = ${place} dbname=${nameOf(name)} connect_query='${limits.join("; ")}'`),
    "",
    "[pgbouncer]",
    ...Object.entries(all).map(([name, value]) => `${name} = ${value}`),
    "",
  ].join("\n");
}

/** The accounts' file: a line of name and password for each. */
export function userlistOf(passwords: Readonly<Record<string, string>>): string {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  return Object.entries(passwords)
    .map((pair) => `${pair.map(quoted).join(" ")}\n`)
    .join("");
}
