import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { Database } from "#kit/db/database.ts";
import type { ServerInterceptor } from "#kit/grpc/interceptors/interceptor.ts";
import { idempotency } from "#kit/idempotency/interceptor.ts";
import { sealedAnswers } from "#kit/idempotency/sealed-answers.ts";

const { createWebhook, updateWebhook, rotateWebhookSecret } = NotificationService.method;
const secretive = new Set<unknown>([createWebhook, updateWebhook, rotateWebhookSecret]);

/** Does each call with an Idempotency-Key once; answers that show secrets or URLs of webhooks are kept encrypted. */
export function keyedCalls(database: Database, secret: Buffer): ServerInterceptor {
  const plain = idempotency(database);
  const sealed = idempotency(database, { sealer: sealedAnswers(secret) });
  return {
    name: plain.name,
    wrap: (next) => {
      const [ordinary, careful] = [plain.wrap(next), sealed.wrap(next)];
      return (call, request) => (secretive.has(call.method) ? careful : ordinary)(call, request);
    },
  };
}
