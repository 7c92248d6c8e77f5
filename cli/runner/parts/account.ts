import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, chown, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../user-error.ts";
import type { Account } from "../process-spec.ts";
import { privateFolder } from "./cache.ts";

/** Where root keeps what another account must reach when it cannot reach the checkout or root's home. */
const sharedFolder = "/var/lib/taskmesh";

/** PostgreSQL refuses to run as root: the account that it runs as then, undefined for anyone else. */
export function accountForPostgres(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    try {
      const [uid, gid] = ["-u", "-g"].map((flag) =>
        Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })),
      );
      if (uid !== undefined && gid !== undefined) return { name, uid, gid };
    } catch {
      // There is no such account: the next one.
    }
  }
  throw new UserError(
    "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody`: run as a user",
  );
}

/** True when the account may enter the folder, through all of its parents. */
export function canEnter(account: Account, folder: string): boolean {
  const { uid, gid } = account;
  return spawnSync("sh", ["-c", 'cd -- "$1"', "sh", folder], { uid, gid, cwd: "/", stdio: "ignore" }).status === 0;
}

/**
 * Makes a folder that the account owns. The wished place is taken when the account can get there; under a private
 * home it cannot, and then a folder in /var/lib/taskmesh stands in, the same one on every start.
 */
export async function folderOwnedBy(account: Account | undefined, wished: string): Promise<string> {
  await privateFolder(wished);
  if (account === undefined) return wished;
  await giveAway(wished, account);
  if (canEnter(account, wished)) return wished;
  const standIn = join(sharedFolder, createHash("sha256").update(wished).digest("hex").slice(0, 16));
  await mkdir(sharedFolder, { recursive: true, mode: 0o755 });
  await chmod(sharedFolder, 0o755);
  await privateFolder(standIn);
  await giveAway(standIn, account);
  return standIn;
}

/** A folder of programs beside the cache that every account can read. */
export function readableCopyFolder(name: string): string {
  return join(sharedFolder, "programs", name);
}

/** Ownership of what is there already, for a data folder that another account had made. */
async function giveAway(folder: string, account: Account): Promise<void> {
  await chown(folder, account.uid, account.gid);
  for (const entry of await readdir(folder, { recursive: true })) {
    await chown(join(folder, entry), account.uid, account.gid).catch(() => {});
  }
}
