import type { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { discardDeadLetters as discard } from "#kit/events/redrive.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { NotificationContext } from "../context.ts";
import { reportDiscard } from "../metrics.ts";
import { forChosen } from "./dead-letter-choice.ts";

export const discardDeadLetters =
  (ctx: NotificationContext): Unary<typeof NotificationService.method.discardDeadLetters> =>
  (request, { signal }) =>
    forChosen(ctx, request, async (chosen) => {
      const letters = await discard(ctx.database, { ...chosen, signal });
      if (!chosen.dryRun && letters.length > 0) reportDiscard(chosen.group, letters.length);
      return letters;
    });
