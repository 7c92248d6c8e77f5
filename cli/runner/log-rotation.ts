import { copyFile, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";

const most = 16 * 1024 * 1024;

/**
 * Cuts logs that have grown too long, keeping one former file: `task-1.log.1`. The programs hold their files open for
 * appending, so the file is copied and emptied in place; lines written between the two steps are lost.
 */
export async function rotateLogs(folder: string, limit = most): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".log"));
  for (const name of names) {
    const path = join(folder, name);
    const { size } = await stat(path);
    if (size <= limit) continue;
    await copyFile(path, `${path}.1`);
    await truncate(path);
  }
}
