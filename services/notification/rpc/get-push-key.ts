import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";

export const getPushKey =
  ({ pushKeys }: NotificationContext): Unary<typeof NotificationService.method.getPushKey> =>
  async () => ({ publicKey: pushKeys.newest().publicKey });
