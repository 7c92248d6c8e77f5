import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { Tier } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { notFound } from "#kit/errors.ts";
import type { Unary } from "#kit/grpc/service.ts";
import type { AuthContext } from "../context.ts";
import { lockOwner } from "../db/account.repository.ts";
import { emailKey } from "../domain/email.ts";
import { reportTier } from "../metrics.ts";

export const setTier =
  ({ database }: AuthContext): Unary<typeof AuthService.method.setTier> =>
  async ({ email, tier }, call) => {
    const wished = tier === Tier.PREMIUM ? "premium" : "standard";
    const userId = await database.transactional(
      async (em) => {
        const owner = await lockOwner(em, emailKey(email));
        if (!owner) throw notFound(ErrorReason.USER_NOT_FOUND, "nobody owns this address");
        owner.tier = wished;
        return owner.userId;
      },
      { signal: call.signal },
    );
    reportTier(userId, wished);
    return { userId };
  };
