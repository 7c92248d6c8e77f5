import type { Database } from "#kit/db/database.ts";
import type { Statement } from "#kit/db/statement.ts";
import { statement } from "#kit/db/statement.ts";
import type { Condition } from "../domain/filter/condition.ts";
import type { SortKey } from "../domain/filter/order.ts";
import type { Task } from "../domain/task.ts";
import { fromRow, selectedColumns, type TaskRow } from "./task-row.ts";

export interface TaskPageQuery {
  userId: string;
  /** Its parameters are numbered from `firstFilterParameter`. */
  condition: Condition | undefined;
  /** Empty for the newest first. */
  sortKeys: readonly SortKey[];
  /** The keys of the last task of the page before, as `cursorOf` gave them. */
  after: readonly string[] | undefined;
  limit: number;
}

export interface ListedTask {
  task: Task;
  /** What to go on from after this task: each sort key as text, the id last. */
  cursor: string[];
}

/** $1 is the user, $2 the limit. */
export const firstFilterParameter = 3;

const newestFirst: SortKey[] = [{ expression: "c.task_create_time", type: "timestamptz", descending: true }];
const from = `FROM collaborator c JOIN task t ON t.task_id = c.task_id
  WHERE c.user_id = $1::uuid AND t.delete_time IS NULL`;

/** A page of the tasks that the user may see. The order ends with the id, so that it has no ties. */
export async function listTasks(db: Database, query: TaskPageQuery, signal: AbortSignal): Promise<ListedTask[]> {
  const { userId, condition, after, limit } = query;
  const keys = keysOf(query.sortKeys);
  const params: unknown[] = [userId, limit, ...(condition?.params ?? [])];
  const filtered = condition === undefined ? "" : ` AND ${condition.sql}`;
  const paged = after === undefined ? "" : ` AND ${positionSql(keys, params.length + 1)}`;
  const sql = `SELECT ${selectedColumns}, ${cursorSql(keys)} AS cursor ${from}${filtered}${paged}
    ORDER BY ${keys.map((key) => `${key.expression} ${key.descending ? "DESC" : "ASC"}`).join(", ")} LIMIT $2`;
  const isPlain = condition === undefined && query.sortKeys.length === 0;
  const rows = await db.query<TaskRow & { cursor: string[] }>(
    isPlain ? plain(sql, after === undefined) : sql,
    [...params, ...(after ?? [])],
    { signal },
  );
  return rows.map((row) => ({ task: fromRow(row), cursor: row.cursor }));
}

/** The list without filter and order is asked for so often that it is worth preparing. */
function plain(sql: string, isFirst: boolean): Statement {
  return statement(isFirst ? "task-list-first" : "task-list-next", sql);
}

function keysOf(sortKeys: readonly SortKey[]): SortKey[] {
  const keys = sortKeys.length === 0 ? newestFirst : [...sortKeys];
  return [...keys, { expression: "c.task_id", type: "uuid", descending: keys.at(-1)?.descending ?? true }];
}

function cursorSql(keys: readonly SortKey[]): string {
  return `array[${keys.map(({ expression }) => `(${expression})::text`).join(", ")}]`;
}

/** What comes after the cursor. One direction compares rows, which an index can follow; else key by key. */
function positionSql(keys: readonly SortKey[], first: number): string {
  const parameter = (index: number) => `$${first + index}::${keys[index]?.type}`;
  const [{ descending } = { descending: true }] = keys;
  if (keys.every((key) => key.descending === descending)) {
    const names = keys.map(({ expression }) => expression).join(", ");
    return `(${names}) ${descending ? "<" : ">"} (${keys.map((_, index) => parameter(index)).join(", ")})`;
  }
  const alternatives = keys.map((key, index) => {
    const equal = keys.slice(0, index).map((before, i) => `${before.expression} = ${parameter(i)}`);
    return [...equal, `${key.expression} ${key.descending ? "<" : ">"} ${parameter(index)}`].join(" AND ");
  });
  return `(${alternatives.map((alternative) => `(${alternative})`).join(" OR ")})`;
}
