const everyMs = 10_000;

/** A line about work under way: on stderr, so that stdout is the result. */
export function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Says what is being done, and every ten seconds that it still is. */
export async function during<T>(title: string, work: Promise<T>): Promise<T> {
  const begin = Date.now();
  const seconds = () => `${Math.round((Date.now() - begin) / 1000)} s`;
  progress(`${title} …`);
  const timer = setInterval(() => progress(`  still at it (${seconds()})`), everyMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
