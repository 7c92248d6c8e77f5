import { timeoutOf } from "../policy.ts";
import { deadlineExceeded, type ServerCall } from "../server-call.ts";
import type { ServerInterceptor } from "./interceptor.ts";

/**
 * Bounds a call by its caller's deadline and by the timeout of its policy, whichever is sooner. When time is up, or
 * the caller goes away, the signal aborts and the call is answered, even if the handler never comes back.
 */
export const deadline: ServerInterceptor = {
  name: "deadline",
  wrap: (next) => (call, request) => {
    const timer = startTimer(call);
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof next>>>();
    call.onAbort(reject);
    if (!call.abortReason) next(call, request).then(resolve, reject);
    return promise.finally(() => clearTimeout(timer));
  },
};

// The caller's own deadline is watched by grpc-js, which tells the call when it has passed.
function startTimer(call: ServerCall): NodeJS.Timeout | undefined {
  const now = Date.now();
  const timeoutMs = timeoutOf(call.method);
  if (timeoutMs === undefined || now + timeoutMs >= call.deadlineMs) return undefined;
  call.deadlineMs = now + timeoutMs;
  return setTimeout(() => call.abort(deadlineExceeded()), timeoutMs);
}
