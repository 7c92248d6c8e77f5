import { type EntityManager, execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";

const readTime = statement("auth-time", "SELECT clock_timestamp() AS now");

/** The database's time: the one clock that all instances share. */
export async function databaseTime(em: EntityManager): Promise<Date> {
  const [row] = await execute<{ now: Date }>(em, readTime);
  if (row === undefined) throw new Error("the database did not tell its time");
  return row.now;
}
