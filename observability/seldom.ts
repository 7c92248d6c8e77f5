/**
 * Passes on the first of many occurrences and then one in each interval (milliseconds), with the count of all since the
 * last one that was passed on.
 */
export function seldom<T>(
  interval: number,
  say: (occurrence: T, count: number) => void,
  now: () => number = Date.now,
): (occurrence: T) => void {
  let quietUntil = Number.NEGATIVE_INFINITY;
  let count = 0;
  return (occurrence) => {
    count += 1;
    if (now() < quietUntil) return;
    quietUntil = now() + interval;
    say(occurrence, count);
    count = 0;
  };
}
