import type pg from "pg";
import type { Load } from "./load.ts";

const task = {
  title: "Send the quarterly figures to the board",
  description: "The draft is in the shared folder; ask for the numbers of the third quarter, which are still missing.",
  priority: 3,
};
const body = JSON.stringify(task);
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const lostQuery = `SELECT count(*)::int AS lost FROM unnest($1::uuid[]) AS made (task_id)
  LEFT JOIN task USING (task_id) LEFT JOIN collaborator USING (task_id)
  LEFT JOIN outbox_event AS event ON event.key = made.task_id::text
  WHERE task.owner_id IS NULL OR collaborator.user_id IS NULL OR event.event_id IS NULL`;

/** Throws unless each of these tasks is stored, with its collaborator and its event. */
export async function mustBeStored(database: pg.Client, ids: ReadonlySet<string>): Promise<void> {
  const { rows } = await database.query<{ lost: number }>(lostQuery, [[...ids]]);
  if (rows[0]?.lost !== 0) throw new Error(`${rows[0]?.lost} of ${ids.size} acknowledged tasks are not stored`);
}

/** Creates tasks under load, and remembers each that was acknowledged. */
export class Creates {
  readonly #target: Pick<Load, "url" | "headers">;
  readonly #ids = new Set<string>();

  constructor(target: Pick<Load, "url" | "headers">) {
    this.#target = target;
  }

  load(seconds: number): Load {
    return { ...this.#target, method: "POST", body, seconds, check: (answer) => this.#isNew(answer) };
  }

  /** One create on its own. */
  async one(headers: Record<string, string> = {}): Promise<void> {
    const response = await fetch(this.#target.url, {
      method: "POST",
      headers: { ...this.#target.headers, ...headers, "content-type": "application/json" },
      body,
    });
    const answer = await response.text();
    if (response.status !== 200 || !this.#isNew(answer)) throw new Error(`a create answered ${response.status}`);
  }

  get acknowledged(): number {
    return this.#ids.size;
  }

  /** Throws unless the task, its collaborator and its event are stored for every answer that was given. */
  mustBeStored(database: pg.Client): Promise<void> {
    return mustBeStored(database, this.#ids);
  }

  #isNew(answer: string): boolean {
    const made = JSON.parse(answer);
    const asSent = made.title === task.title && made.description === task.description && made.priority === 3;
    const asNew = made.status === "STATUS_OPEN" && made.revision === "1" && made.etag !== "" && uuid.test(made.ownerId);
    const unseen = uuid.test(made.taskId) && !this.#ids.has(made.taskId);
    this.#ids.add(made.taskId);
    return asSent && asNew && unseen && !Number.isNaN(Date.parse(made.createTime));
  }
}
