import type { Database } from "#kit/db/database.ts";

/** What the handlers work with. */
export interface UserContext {
  database: Database;
}
