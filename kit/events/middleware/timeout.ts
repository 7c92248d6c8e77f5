import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { ServiceError } from "#kit/errors.ts";
import type { ConsumerMiddleware } from "../chain.ts";

/** Bounds one try: the handler's signal is aborted, its queries are cancelled, and nobody waits for it any longer. */
export const timeout: ConsumerMiddleware = {
  name: "timeout",
  wrap:
    (next, { timeoutMs }) =>
    async (delivery) => {
      const tooLong = Promise.withResolvers<never>();
      const limit = new AbortController();
      const timer = setTimeout(() => {
        const error = new ServiceError({ reason: ErrorReason.DEADLINE_EXCEEDED, message: "the handler took too long" });
        limit.abort(error);
        tooLong.reject(error);
      }, timeoutMs);
      try {
        const handled = next({ ...delivery, signal: AbortSignal.any([delivery.signal, limit.signal]) });
        handled.catch(() => {});
        return await Promise.race([handled, tooLong.promise]);
      } finally {
        clearTimeout(timer);
      }
    },
};
