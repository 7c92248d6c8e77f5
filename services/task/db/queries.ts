import { type Database, type EntityManager, execute } from "#kit/db/database.ts";
import type { Statement } from "#kit/db/statement.ts";

/** Runs a declared statement: on its own or inside a transaction. */
export type Run = <R>(statement: Statement, parameters: readonly unknown[]) => Promise<R[]>;

/** Each statement on its own; cancelled with the signal. */
export function onItsOwn(db: Database, signal: AbortSignal): Run {
  return (statement, parameters) => db.query(statement, parameters, { signal });
}

/** All statements in the transaction of the entity manager. */
export function inside(em: EntityManager): Run {
  return (statement, parameters) => execute(em, statement, parameters);
}
