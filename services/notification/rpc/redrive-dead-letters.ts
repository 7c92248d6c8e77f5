import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { redriveDeadLetters as redrive } from "#kit/events/redrive.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { reportRedrive } from "../metrics.ts";
import { forChosen } from "./dead-letter-choice.ts";

export const redriveDeadLetters =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.redriveDeadLetters> =>
  (request, { signal }) =>
    forChosen(ctx, request, async (chosen) => {
      const letters = await redrive(ctx, { ...chosen, signal });
      if (!chosen.dryRun && letters.length > 0) reportRedrive(chosen.group, letters.length);
      return letters;
    });
