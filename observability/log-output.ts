import { pino } from "pino";

const bufferBytes = 8 * 1024;
const longestWaitMs = 100;
const error = pino.levels.values.error as number;

/**
 * Standard output, a few lines at a time: a write for each would cost a call more than all else of its line. A line
 * waits 100 ms at most; errors, and what waits before them, are written at once, and all of it when the process ends,
 * by an uncaught error too. Only a kill, or the end of memory, can take the last lines with it, and none of an error.
 */
export function standardOutput(): pino.DestinationStream {
  const lines = pino.destination({ dest: 1, sync: true, minLength: bufferBytes });
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    lines.flushSync();
  };
  process.on("exit", flush);
  return {
    // Has pino say of each line how grave it is.
    [Symbol.for("pino.metadata")]: true,
    lastLevel: 0,
    write(line: string) {
      lines.write(line);
      if (this.lastLevel >= error) flush();
      else timer ??= setTimeout(flush, longestWaitMs).unref();
    },
  } as pino.DestinationStream & { lastLevel: number };
}
