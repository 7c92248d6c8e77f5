import type { DedicatedConnection } from "./dedicated.ts";
import { type Statement, statement } from "./statement.ts";

/** What a leader holds for as long as its session lasts: an advisory lock, in a number space and under a name. */
export interface LeaderLock {
  space: number;
  name: string;
}

const tryLock = statement("leader-lock", "SELECT pg_try_advisory_lock($1, hashtext($2)) AS locked");

/** Takes the lock unless another session has it. */
export async function tryLead(connection: DedicatedConnection, { space, name }: LeaderLock): Promise<boolean> {
  const [lock] = await connection.query<{ locked: boolean }>(tryLock, [space, name]);
  return lock?.locked ?? false;
}

/**
 * A statement that ends the session which holds a lock although its process is stopped or stuck; then the lock is free.
 * Its parameters are the space and the name, from $3 on those of the condition, which may speak of `holder`, the
 * session's row of pg_stat_activity.
 */
export function endHolderStatement(name: string, condition: string): Statement {
  return statement(
    name,
    `SELECT pg_terminate_backend(holder.pid) AS ended FROM pg_locks JOIN pg_stat_activity AS holder USING (pid)
     WHERE locktype = 'advisory' AND granted AND classid = $1::int8::oid AND objsubid = 2
       AND objid = (hashtext($2)::int8 & 4294967295)::oid
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND ${condition}`,
    { operation: "SELECT", collection: "pg_locks" },
  );
}
