import { pino } from "pino";

const bufferBytes = 8 * 1024;
const longestWaitMs = 100;
/** What waits for a file on a disk that is full, in bytes; more is left out. */
const longestBacklog = 1_048_576;
const error = pino.levels.values.error as number;

/**
 * Standard output for lines below the level error, standard error for the others, which go to the error file as well
 * when there is one.
 *
 * Standard output gets a few lines at a time: a write for each would cost a call more than all else of its line. A line
 * waits 100 ms at most; errors, and what waits before them, are written at once, and all of it when the process ends,
 * by an uncaught error too. Only a kill, or the end of memory, can take the last lines with it, and none of an error.
 */
export function standardOutput(errorFile?: string): pino.DestinationStream {
  const lines = pino.destination({ dest: 1, sync: true, minLength: bufferBytes });
  let errors: pino.DestinationStream[] | undefined;
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    // Not flushSync, which has the disk write it down as well, and everybody wait for that.
    lines.flush();
  };
  process.on("exit", flush);
  return {
    // Has pino say of each line how grave it is.
    [Symbol.for("pino.metadata")]: true,
    lastLevel: 0,
    write(line: string) {
      if (this.lastLevel < error) {
        lines.write(line);
        timer ??= setTimeout(flush, longestWaitMs).unref();
        return;
      }
      // Where both streams are one file, the lines before it stand before it.
      flush();
      errors ??= [pino.destination({ dest: 2, sync: true }), ...(errorFile ? openFile(errorFile) : [])];
      for (const stream of errors) stream.write(line);
    },
  } as pino.DestinationStream & { lastLevel: number };
}

/** A file that cannot be opened or written must not end who tells of a fault: its lines are on standard error too. */
function openFile(path: string): pino.DestinationStream[] {
  try {
    return [pino.destination({ dest: path, sync: true, maxLength: longestBacklog }).on("error", () => {})];
  } catch {
    return [];
  }
}
