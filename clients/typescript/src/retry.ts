import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";

const attempts = 4;

/** Repeats a call that is safe to repeat while the mesh is away for a moment, as long as it says or a little longer each time. */
export const retry: Interceptor = (next) => async (request) => {
  const safe = !request.stream && request.method.idempotency !== Level.IDEMPOTENCY_UNKNOWN;
  for (let attempt = 1; ; attempt++) {
    try {
      return await next(request);
    } catch (error) {
      const failure = ConnectError.from(error);
      const passing = failure.code === Code.Unavailable || failure.code === Code.ResourceExhausted;
      if (!safe || !passing || attempt === attempts) throw error;
      await pause(waitMs(failure, attempt), request.signal);
    }
  }
};

function waitMs(failure: ConnectError, attempt: number): number {
  const asked = failure.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const told =
    asked === undefined ? Number(failure.metadata.get("retry-after") ?? 0) : Number(asked.seconds) + asked.nanos / 1e9;
  return told > 0 ? told * 1000 : 100 * 2 ** attempt * (0.5 + Math.random() / 2);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}
