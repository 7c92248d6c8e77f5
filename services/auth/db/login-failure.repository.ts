import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { forgetAfterMs } from "../domain/login-throttle.ts";

export interface FailureCounts {
  /** Since the last success with any account of the address. */
  ofAddress: number;
  /** Since the last success with the account that was asked about. */
  ofAccount: number;
  lastTime: Date;
  /** The database's time. */
  now: Date;
}

const read = statement(
  "auth-login-failures",
  `SELECT failure.failures - failure.forgiven AS "ofAddress",
     failure.failures - coalesce(account.failures, 0) AS "ofAccount",
     failure.last_time AS "lastTime", clock_timestamp() AS now
   FROM login_failure AS failure
   LEFT JOIN login_forgiven AS account ON account.failure_key = failure.key AND account.key = $2
   WHERE failure.key = $1`,
);

/** The failures under a key; undefined when there are none. */
export async function readFailures(
  database: Database,
  keys: { address: string; account: string },
  signal: AbortSignal,
): Promise<FailureCounts | undefined> {
  const [counts] = await database.query<FailureCounts>(read, [keys.address, keys.account], { signal });
  return counts;
}

const forget = statement(
  "auth-login-failure-forget",
  "DELETE FROM login_failure WHERE key = $1 AND last_time < now() - make_interval(secs => $2)",
);
const add = statement(
  "auth-login-failure-add",
  `INSERT INTO login_failure (key, failures, forgiven, last_time) VALUES ($1, 1, 0, clock_timestamp())
   ON CONFLICT (key) DO UPDATE SET
     failures = login_failure.failures + 1,
     last_time = greatest(login_failure.last_time, excluded.last_time)`,
);

/** Counts one more failure, from 1 again when the last one is long ago. */
export async function addFailure(database: Database, key: string): Promise<void> {
  await database.query(forget, [key, forgetAfterMs / 1_000]);
  await database.query(add, [key]);
}

const forgive = statement(
  "auth-login-failures-forgive",
  `WITH forgiven AS (
     UPDATE login_failure SET forgiven = failures WHERE key = $1 RETURNING key, failures
   )
   INSERT INTO login_forgiven (key, failure_key, failures) SELECT $2, key, failures FROM forgiven
   ON CONFLICT (key) DO UPDATE SET failure_key = excluded.failure_key, failures = excluded.failures`,
);

/** A success: the failures so far no longer count against the account that signed in, nor against the address. */
export async function forgiveFailures(em: EntityManager, keys: { address: string; account: string }): Promise<void> {
  await execute(em, forgive, [keys.address, keys.account]);
}

const sweep = statement(
  "auth-login-failures-sweep",
  `DELETE FROM login_failure WHERE key IN (
     SELECT key FROM login_failure WHERE last_time < now() - make_interval(secs => $1) LIMIT 1000)`,
);

/** Removes some of the counts that are too old to matter. */
export async function sweepFailures(em: EntityManager): Promise<void> {
  await execute(em, sweep, [forgetAfterMs / 1_000]);
}
