/** The answer did not come in time. */
export class TooSlowError extends Error {
  override readonly name = "TooSlowError";
}

/**
 * Waits for an answer from elsewhere at most so many milliseconds. Time in which this process was busy does not count
 * against the other side: what has arrived meanwhile is read first. Throws TooSlowError.
 */
export function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(new TooSlowError())), ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
