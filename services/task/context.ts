import type { Clock } from "#kit/clock.ts";
import type { Database } from "#kit/db/database.ts";
import type { UserDirectory } from "./user-directory.ts";

/** What the handlers work with. */
export interface TaskContext {
  readonly db: Database;
  readonly users: UserDirectory;
  readonly clock: Clock;
  /** Signs the tokens of the lists' pages. */
  readonly pageKey: Uint8Array;
}

export function createContext(db: Database, users: UserDirectory, clock: Clock): TaskContext {
  return { db, users, clock, pageKey: db.key("page-token") };
}
