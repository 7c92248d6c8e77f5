import type { Database } from "#kit/db/database.ts";
import type { Redis } from "#kit/redis/redis.ts";
import type { People } from "../people.ts";

export interface NotificationGroupContext {
  readonly database: Database;
  /** Announces changed inboxes. */
  readonly redis: Redis;
  readonly people: Pick<People, "byId">;
  /** Where deliveries are asked for. */
  readonly deliveryTopic: string;
}
