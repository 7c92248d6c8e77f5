import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { deriveKey } from "#kit/auth/sealing.ts";
import { TokenVerifier } from "#kit/auth/tokens.ts";
import { systemClock } from "#kit/clock.ts";
import { createClient } from "#kit/grpc/client.ts";
import { service } from "#kit/grpc/server.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { type ServiceParts, startMeshService } from "#kit/service.ts";
import type { AuthConfig } from "./config.ts";
import type { AuthContext } from "./context.ts";
import { entities, migrations } from "./db/mikro-orm.config.ts";
import { startHousekeeping } from "./housekeeping.ts";
import { keyedCalls } from "./keyed-calls.ts";
import { PasswordHasher } from "./passwords/hasher.ts";
import { keysToProto } from "./rpc/convert.ts";
import { rpc } from "./rpc/index.ts";
import { KeyRing } from "./tokens/key-ring.ts";

/** Starts the service; answers when it takes calls. The lifecycle owns all that it opens. */
export function startService(config: AuthConfig, lifecycle: Lifecycle): Promise<{ port: number }> {
  const poolMax = config.database.pool.max;
  return startMeshService(config, lifecycle, {
    name: "auth",
    entities,
    migrations,
    open: async (parts) => {
      const ctx = await createContext(config, parts);
      startHousekeeping(ctx, lifecycle);
      return {
        services: [service(AuthService, rpc(ctx))],
        once: keyedCalls(parts.database, { secret: config.keys.secret, poolMax }),
        tokens: new TokenVerifier({
          issuer: config.tokens.issuer,
          fetchKeys: async () => keysToProto(await ctx.keys.published()),
          // A revoked session is still good for one thing here: to be logged out again.
        }),
      };
    },
  });
}

async function createContext(
  config: AuthConfig,
  { database, redis, channel, identity }: ServiceParts,
): Promise<AuthContext> {
  const { secret, rotation } = config.keys;
  const keys = new KeyRing({
    database,
    secret: deriveKey(secret, "taskmesh signing keys"),
    policy: { rotationMs: rotation * 1_000, tokenTtlMs: config.tokens.accessTtl * 1_000 },
    clock: systemClock,
  });
  await keys.refresh();
  return {
    database,
    redis,
    users: createClient(UserService, channel, { identity }),
    hasher: new PasswordHasher(deriveKey(secret, "taskmesh password salts"), config.passwords),
    keys,
    clock: systemClock,
    config: { tokens: config.tokens, revealAccounts: config.revealAccounts },
  };
}
