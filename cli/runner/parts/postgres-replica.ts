import { chmod, chown, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { copyCluster } from "../db/base-backup.ts";
import { ensureSlot, type Primary, primaryOf } from "../db/replication.ts";
import type { Account, ProcessSpec, RunningPart } from "../process-spec.ts";
import { accountForPostgres, folderOwnedBy } from "./account.ts";
import { exists } from "./cache.ts";
import { addressOf, clusterName, dropStalePid, fetch, locate, readableBy, secretIn, serverSpec } from "./postgres.ts";
import type { Program, Progress } from "./program.ts";
import { startPart } from "./start-part.ts";

export type ReplicaOptions = {
  /** Unique in a mesh: `postgres-replica-1`. */
  name: string;
  dataDir: string;
  port: number;
  logFile: string;
  /** Where the password of the account is kept (0600) by which replicas follow. */
  replicationPasswordFile: string;
  primary: {
    dataDir: string;
    port: number;
    /** Of the superuser. */
    passwordFile: string;
  };
};

/** The account by which replicas follow; it may read what is written, and nothing else. */
export const replicationRole = "taskmesh_replication";

/**
 * A hot standby on the loopback address that follows its primary as it writes (streaming replication, asynchronous) and
 * answers reads. It is copied from the primary the first time, and again when it can no longer catch up.
 */
export async function describe(program: Program, options: ReplicaOptions): Promise<ProcessSpec> {
  const { name, port, logFile } = options;
  const account = accountForPostgres();
  const programs = await readableBy(account, program);
  const folder = await folderOwnedBy(account, options.dataDir);
  const place: Place = {
    folder,
    account,
    passFile: join(folder, "primary.pass"),
    primaryFolder: await folderOwnedBy(account, options.primary.dataDir),
  };
  const settings = {
    primary_conninfo:
      `host=127.0.0.1 port=${options.primary.port} user=${replicationRole} passfile=${place.passFile} ` +
      `application_name=${name} connect_timeout=5`,
    primary_slot_name: slotOf(name),
    shared_buffers: "32MB",
    // What is being read here is not cleaned away there; a read is over within a statement's timeout.
    hot_standby_feedback: "on",
    max_standby_streaming_delay: "5s",
    wal_receiver_timeout: "10s",
    wal_retrieve_retry_interval: "500ms",
  };
  return {
    ...serverSpec({ name, programs, folder, account, port, logFile, settings }),
    beforeStart: () => prepare(options, place),
  };
}

export async function start(options: ReplicaOptions, progress: Progress = () => {}): Promise<RunningPart> {
  const program = (await locate()) ?? (await fetch(progress));
  const { passwordFile } = options.primary;
  return startPart(await describe(program, options), await addressOf({ port: options.port, passwordFile }));
}

/** The slot by which the primary knows how far a replica is: `postgres_replica_1`. */
export function slotOf(name: string): string {
  return name.replaceAll("-", "_");
}

type Place = { folder: string; account: Account | undefined; passFile: string; primaryFolder: string };

/** Leaves a replica that can go on as it is, also while its primary is away; copies it anew otherwise. */
async function prepare(options: ReplicaOptions, place: Place): Promise<void> {
  const clusterDir = join(place.folder, clusterName);
  await dropStalePid(clusterDir);
  const primary = await primaryOf(await addressOf(options.primary));
  const isThere = await exists(clusterDir);
  if (primary === undefined && isThere) return;
  await writePassFile(options, place);
  if (isThere && primary !== undefined && (await canGoOn(clusterDir, primary, slotOf(options.name)))) return;
  await copy(options, place);
}

async function canGoOn(clusterDir: string, primary: Primary, slot: string): Promise<boolean> {
  return primary.keptSlots.has(slot) && (await identifierOf(clusterDir)) === primary.identifier;
}

/** Copies the primary's cluster beside its final place and moves it there in one step. */
async function copy(options: ReplicaOptions, { folder, account, primaryFolder }: Place): Promise<void> {
  const draft = join(folder, "draft");
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  const url = await addressOf(options.primary);
  const password = await secretIn(options.replicationPasswordFile);
  await ensureSlot(url, { role: replicationRole, password, slot: slotOf(options.name) });
  await copyCluster({ url, from: join(primaryFolder, clusterName), to: draft, account });
  await rm(join(folder, clusterName), { recursive: true, force: true });
  await rename(draft, join(folder, clusterName));
}

/** A password in the command line would be seen by all. */
async function writePassFile(options: ReplicaOptions, { passFile, account }: Place): Promise<void> {
  const password = await secretIn(options.replicationPasswordFile);
  const line = `127.0.0.1:${options.primary.port}:*:${replicationRole}:${password}\n`;
  await writeFile(passFile, line, { mode: 0o600 });
  await chmod(passFile, 0o600);
  if (account !== undefined) await chown(passFile, account.uid, account.gid);
}

/** The number that a cluster and its copies share: the first eight bytes of their control file. */
async function identifierOf(clusterDir: string): Promise<string | undefined> {
  const file = await open(join(clusterDir, "global/pg_control")).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { buffer } = await file.read(Buffer.alloc(8), 0, 8, 0);
    return new DataView(buffer.buffer, buffer.byteOffset).getBigUint64(0, true).toString();
  } finally {
    await file.close();
  }
}
