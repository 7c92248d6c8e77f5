import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** One log to read. */
export interface LogFile {
  /** Whose it is: an instance. */
  name: string;
  path: string;
  /** It holds errors only. */
  errorsOnly: boolean;
}

const ending = ".log";
const errorEnding = ".error.log";

/**
 * The logs in a folder. With `errors`, the one of its errors where an instance has one; others have all in one log.
 * Processes make theirs with their first error.
 */
export async function logFiles(folder: string, { errors = false } = {}): Promise<LogFile[]> {
  const files = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith(ending)).sort();
  const split = new Set(files.filter(isErrorLog).map(nameOf));
  return files
    .filter((file) => (errors && split.has(nameOf(file)) ? isErrorLog(file) : !isErrorLog(file)))
    .map((file) => ({ name: nameOf(file), path: join(folder, file), errorsOnly: isErrorLog(file) }));
}

function isErrorLog(file: string): boolean {
  return file.endsWith(errorEnding);
}

function nameOf(file: string): string {
  return file.slice(0, -(isErrorLog(file) ? errorEnding : ending).length);
}
