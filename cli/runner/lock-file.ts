import { link, open, readFile, rename, rm, stat } from "node:fs/promises";
import { startTimeOf } from "./process-table.ts";

/** Takes a lock file that names its holder; undefined when a live process holds it. One whose holder is gone is taken over. */
export async function tryLock(path: string): Promise<(() => Promise<void>) | undefined> {
  const self = `${process.pid} ${await startTimeOf(process.pid)}`;
  for (;;) {
    try {
      const file = await open(path, "wx", 0o600);
      await file.writeFile(self);
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = await readFile(path, "utf8").catch(() => undefined);
    if (holder === undefined) continue;
    if (!(await isAbandoned(holder, path))) return undefined;
    await takeAway(path, holder);
  }
}

async function isAbandoned(holder: string, path: string): Promise<boolean> {
  const [pid = "", ...startTime] = holder.split(" ");
  if (pid !== "") return (await startTimeOf(Number(pid))) !== startTime.join(" ");
  // Its holder is between making it and writing its name, or was killed there.
  const file = await stat(path).catch(() => undefined);
  return file !== undefined && Date.now() - file.mtimeMs > 5000;
}

/** Removes an abandoned lock; when another start was faster and the lock is already that one's, puts it back. */
async function takeAway(path: string, holder: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, "utf8")) !== holder) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}
