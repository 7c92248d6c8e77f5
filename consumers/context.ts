import { LRUCache } from "lru-cache";
import type { Database } from "#kit/db/database.ts";
import { topics } from "#kit/events/topics.ts";
import type { Redis } from "#kit/redis/redis.ts";
import type { ConsumersConfig } from "./config.ts";
import type { EmailGroupContext } from "./email/context.ts";
import type { Mailer } from "./email/mailer.ts";
import type { NotificationGroupContext } from "./notification/context.ts";
import type { People } from "./people.ts";

/** What the groups work with; each takes its own part of it. */
export interface ConsumersContext extends NotificationGroupContext, EmailGroupContext {}

export function createContext(
  { mail }: Pick<ConsumersConfig, "mail">,
  parts: { database: Database; redis: Redis; people: People; mailer: Mailer },
): ConsumersContext {
  return {
    ...parts,
    deliveryTopic: topics.deliveries,
    from: mail.from,
    publicUrl: mail.publicUrl,
    accepted: new LRUCache({ max: 10_000 }),
  };
}
