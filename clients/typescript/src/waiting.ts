import { Code, ConnectError } from "@connectrpc/connect";

/** Waits, unless the signal is aborted before the time is over: then it throws CANCELLED, or what the signal says. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await orAborted(over, signal);
  } finally {
    clearTimeout(timer);
  }
}

/** What the promise comes to, unless the signal is aborted first. The work behind the promise goes on for others. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(ConnectError.from(signal.reason, Code.Canceled));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
