import type { Database } from "#kit/db/database.ts";

/** What the handlers work with. */
export interface NotificationContext {
  readonly database: Database;
  /** Signs the tokens of the list's pages. */
  readonly pageKey: Uint8Array;
}

export function createContext(database: Database): NotificationContext {
  return { database, pageKey: database.key("page-token") };
}
