import type pg from "pg";
import { withClient } from "./client.ts";

/** What a replica needs to know of its primary. */
export interface Primary {
  /** The number of the cluster; a copy has the same. */
  identifier: string;
  /** Slots whose WAL is still there. */
  keptSlots: ReadonlySet<string>;
}

/** Asks the primary; undefined when it does not answer. */
export async function primaryOf(url: string): Promise<Primary | undefined> {
  return onServer(url, async (client) => {
    const system = await client.query<{ id: string }>("SELECT system_identifier::text AS id FROM pg_control_system()");
    const slots = await client.query<{ name: string }>(
      "SELECT slot_name AS name FROM pg_replication_slots WHERE wal_status IS DISTINCT FROM 'lost'",
    );
    return { identifier: system.rows[0]?.id ?? "", keptSlots: new Set(slots.rows.map(({ name }) => name)) };
  }).catch(() => undefined);
}

export interface Follower {
  /** The account by which it follows. */
  role: string;
  password: string;
  slot: string;
}

/** Makes the account, and a new slot that keeps the WAL from now on. */
export async function ensureSlot(url: string, { role, password, slot }: Follower): Promise<void> {
  await onServer(url, async (client) => {
    // Two replicas that start side by side make it one after the other.
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock(hashtext('taskmesh replication'))");
    const known = await client.query("SELECT FROM pg_roles WHERE rolname = $1", [role]);
    const [name, secret] = [client.escapeIdentifier(role), client.escapeLiteral(password)];
    await client.query(`${known.rowCount ? "ALTER" : "CREATE"} ROLE ${name} LOGIN REPLICATION PASSWORD ${secret}`);
    await client.query("COMMIT");
    await dropSlot(client, slot);
    await client.query("SELECT pg_create_physical_replication_slot($1, true)", [slot]);
  });
}

/** Drops the slots of replicas that are not to run, so that nothing is kept for them. */
export async function dropOtherSlots(url: string, kept: readonly string[]): Promise<void> {
  await onServer(url, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      "SELECT slot_name AS name FROM pg_replication_slots WHERE slot_name LIKE 'postgres\\_replica\\_%' AND NOT active",
    );
    for (const { name } of rows) if (!kept.includes(name)) await dropSlot(client, name);
  });
}

/** A connection of a replica that was killed may live on for a while. */
async function dropSlot(client: pg.Client, slot: string): Promise<void> {
  await client.query(
    "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = $1 AND active",
    [slot],
  );
  await client.query(
    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active",
    [slot],
  );
}

const onServer = <T>(url: string, fn: (client: pg.Client) => Promise<T>): Promise<T> =>
  withClient(url, { applicationName: "replication", queryMs: 30_000 }, fn);
