import { setImmediate, setTimeout as sleep } from "node:timers/promises";

/** Something outside of the process that it works with, such as its database. */
export interface Part {
  /** Resolves once the part answers, rejects when it does not. `signal` is aborted when nobody waits any longer. */
  check(signal: AbortSignal): unknown;
  /** Without it the process cannot do its work, and takes none while it is away. */
  required?: boolean;
}

export type Parts = Readonly<Record<string, Part>>;

/** A part that says nothing for this long is away. With `lookEveryMs` a change is known within 0.7 s. */
export const silenceMs = 500;
export const lookEveryMs = 150;
/** An answer that comes late is still one: a part that hung is back with it. */
const lateMs = 1_500;

/**
 * Asks a part once. `tell` hears true with its answer, also a late one, and false with its refusal or after its silence.
 * Resolves when no more is to be heard of this question. Never throws.
 */
export async function ask(part: Part, tell: (there: boolean) => void): Promise<void> {
  const over = new AbortController();
  const answer = Promise.try(() => part.check(over.signal)).then(
    () => true,
    () => false,
  );
  const first = await Promise.race([answer, silence(silenceMs)]);
  tell(first ?? false);
  if (first === undefined && (await Promise.race([answer, silence(lateMs)]))) tell(true);
  over.abort();
}

/** Undefined, after the time and after what has arrived by then was read: while this process is busy, nobody is silent. */
async function silence(ms: number): Promise<undefined> {
  await sleep(ms, undefined, { ref: false });
  await setImmediate();
}
