import type { UserService } from "#gen/user/v1/user_service_pb.js";
import type { Clock } from "#kit/clock.ts";
import type { Database } from "#kit/db/database.ts";
import type { Client } from "#kit/grpc/client.ts";
import type { Redis } from "#kit/redis/redis.ts";
import type { AuthConfig } from "./config.ts";
import type { PasswordHasher } from "./passwords/hasher.ts";
import type { KeyRing } from "./tokens/key-ring.ts";

/** What the handlers work with. */
export interface AuthContext {
  database: Database;
  redis: Redis;
  users: Client<typeof UserService>;
  hasher: PasswordHasher;
  keys: KeyRing;
  clock: Clock;
  config: Pick<AuthConfig, "tokens" | "revealAccounts">;
}
