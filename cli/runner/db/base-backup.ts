import { constants } from "node:fs";
import { chmod, chown, copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Account } from "../process-spec.ts";
import { withClient } from "./client.ts";

export interface CopyOptions {
  /** Of the running server, with the superuser's account. */
  url: string;
  /** Its data folder. */
  from: string;
  /** An empty folder. */
  to: string;
  /** Who is to own the copy, when that is not us. */
  account: Account | undefined;
}

/** Folders whose content is the running server's own, or comes by the replication. */
const leftEmpty = new Set([
  "pg_dynshmem",
  "pg_notify",
  "pg_replslot",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
  "pg_wal",
]);
const leftOut =
  /^(postmaster\.(pid|opts)|backup_label.*|tablespace_map.*|(standby|recovery)\.signal|pg_internal\.init.*|pgsql_tmp.*|.*\.tmp)$/;

/**
 * Copies the cluster of a running server so that the copy starts as its standby: a base backup by the low-level functions
 * (PostgreSQL's documentation, 25.3.4), for the packaged server comes without pg_basebackup. The WAL from the beginning of the
 * copy must be kept by a slot.
 */
export async function copyCluster({ url, from, to, account }: CopyOptions): Promise<void> {
  await withClient(url, { applicationName: "base-backup" }, async (client) => {
    await client.query("SELECT pg_backup_start('replica', fast => true)");
    await copyFolder(from, to, { account, isTop: true });
    const { rows } = await client.query<{ labelfile: string }>(
      "SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)",
    );
    await place(join(to, "backup_label"), rows[0]?.labelfile ?? "", account);
    await place(join(to, "standby.signal"), "", account);
  });
}

interface Manner {
  account: Account | undefined;
  /** The folder of the cluster itself. */
  isTop: boolean;
}

async function copyFolder(from: string, to: string, { account, isTop }: Manner): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  if (account !== undefined) await chown(to, account.uid, account.gid);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (leftOut.test(entry.name)) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      if (isTop && leftEmpty.has(entry.name)) await copyFolders(source, target, account);
      else await copyFolder(source, target, { account, isTop: false });
    } else if (entry.isFile()) {
      await copyOne(source, target, account);
    }
  }
}

/** The folders in a folder, without their files. */
async function copyFolders(from: string, to: string, account: Account | undefined): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  if (account !== undefined) await chown(to, account.uid, account.gid);
  if (!from.endsWith("pg_wal")) return;
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.isDirectory()) await copyFolders(join(from, entry.name), join(to, entry.name), account);
  }
}

/** A file that goes while it is being copied is put right by the WAL. */
async function copyOne(from: string, to: string, account: Account | undefined): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return;
    throw error;
  }
  await chmod(to, 0o600);
  if (account !== undefined) await chown(to, account.uid, account.gid);
}

async function place(file: string, text: string, account: Account | undefined): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
  if (account !== undefined) await chown(file, account.uid, account.gid);
}
