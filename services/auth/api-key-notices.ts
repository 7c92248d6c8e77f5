import type { Database } from "#kit/db/database.ts";
import { lockAccount } from "./db/account.repository.ts";
import { endingApiKeys, findApiKey } from "./db/api-key.repository.ts";
import { databaseTime } from "./db/time.ts";
import { apiKeyExpiring } from "./events.ts";

/** Tells the owners of keys that end soon, once for each key; other instances may do the same at the same time. */
export async function announceEndingKeys(database: Database): Promise<void> {
  for (const { apiKeyId, userId } of await endingApiKeys(database)) {
    await database.transactional(async (em) => {
      const account = await lockAccount(em, userId);
      const key = await findApiKey(em, userId, apiKeyId);
      if (!key || key.revokedTime || key.noticeTime) return;
      key.noticeTime = await databaseTime(em);
      const { name, expireTime, noticeTime: occurTime } = key;
      await apiKeyExpiring(em, account, { apiKeyId, name, expireTime, occurTime });
    });
  }
}
