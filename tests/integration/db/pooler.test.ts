import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Database } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { Code } from "#kit/errors.ts";
import * as pgbouncer from "../../../cli/runner/parts/pgbouncer.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import type { RunningPart } from "../../../cli/runner/process-spec.ts";
import { pgbouncerConfig, userlistOf } from "../../../deploy/pgbouncer.ts";
import { createTestDatabase, type TestDatabase, testPool } from "../../_util/database.ts";
import { until } from "../../_util/until.ts";
import { startStage, type TaskStage } from "../task/service.ts";

const lent = 3;
let folder: string;
let database: TestDatabase;
const running: RunningPart[] = [];
let pooledUrl: string;
let sql: ReturnType<typeof testPool>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-pooler-"));
  await chmod(folder, 0o755);
  database = await createTestDatabase("pooler");
  sql = testPool(database.url, 2);
  pooledUrl = await startPooler({});
});
afterAll(async () => {
  await sql.end();
  await Promise.all(running.map((part) => part.stop()));
  await database.drop();
  await rm(folder, { recursive: true });
});

/** Our own configuration before the test's server; answers with the URL of the database there. */
async function startPooler(settings: Record<string, number>): Promise<string> {
  const [port = 0] = await pickPorts(1);
  const url = new URL(database.url);
  const [configFile, userlist] = ["ini", "txt"].map((ending) => join(folder, `${port}.${ending}`)) as [string, string];
  await writeFile(
    userlist,
    userlistOf({ [decodeURIComponent(url.username)]: decodeURIComponent(url.password) || "none" }),
  );
  const config = pgbouncerConfig({
    listen: { host: "127.0.0.1", port },
    server: { host: url.hostname, port: Number(url.port) },
    userlist,
    nameOf: () => url.pathname.slice(1),
    settings: { default_pool_size: lent, query_wait_timeout: 60, ...settings },
  });
  await writeFile(configFile, config);
  running.push(await pgbouncer.start({ configFile, port, logFile: join(folder, `${port}.log`) }));
  url.host = `127.0.0.1:${port}`;
  url.pathname = "/task";
  // Its first client waits for its first session.
  await until("the pooler to reach PostgreSQL", () => answers(url.href));
  return url.href;
}

async function answers(url: string): Promise<boolean> {
  const pool = testPool(url, 1);
  try {
    return (await pool.query("SELECT 1").catch(() => undefined)) !== undefined;
  } finally {
    await pool.end();
  }
}

/** Four processes' worth of clients, of which all but a few share sessions with others. */
function clients(url: string): Database[] {
  const options = { url, entities: [], pool: { min: 0, max: 3, acquireMs: 60_000 } };
  return Array.from({ length: 4 }, (_, index) => new Database({ ...options, applicationName: `client-${index}` }));
}

async function closing<T>(databases: Database[], fn: () => Promise<T>): Promise<T> {
  try {
    return await fn();
  } finally {
    await Promise.all(databases.map((one) => one.close()));
  }
}

const sessions = async (where: string, ...params: unknown[]): Promise<number> => {
  const { rows } = await sql.query(
    `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND ${where}`,
    params,
  );
  return rows[0].count;
};

const whoAmI = statement("test-pooler-who", "SELECT pg_backend_pid() AS pid, $1::int AS echo, pg_sleep(0.01)");
const sleep = statement("test-pooler-sleep", "SELECT pg_sleep(1), 'work of one client'");

/** Many named statements of many clients at once. */
async function work(databases: Database[]): Promise<Set<number>> {
  const pids = new Set<number>();
  const rounds = databases.flatMap((one) => Array.from({ length: 12 }, (_, round) => ({ one, round })));
  await Promise.all(
    rounds.map(async ({ one, round }) => {
      const [row] = await one.query<{ pid: number; echo: number }>(whoAmI, [round]);
      expect(row?.echo).toBe(round);
      pids.add(row?.pid ?? 0);
    }),
  );
  return pids;
}

describe("behind PgBouncer", () => {
  it("many clients share few sessions, with prepared statements and the limits of a session", async () => {
    const all = clients(pooledUrl);
    await closing(all, async () => {
      expect((await work(all)).size).toBeLessThanOrEqual(lent);
      const show = (name: string) => all[0]?.query(`SELECT current_setting('${name}') AS value`);
      expect(await show("statement_timeout")).toEqual([{ value: "1500ms" }]);
      expect(await show("idle_in_transaction_session_timeout")).toEqual([{ value: "5s" }]);
    });
  });

  it("prepared statements fail where the pooler does not know of them", async () => {
    const all = clients(await startPooler({ max_prepared_statements: 0 }));
    await closing(all, () => expect(work(all)).rejects.toThrow());
  });

  it("an aborted call ends its own query in PostgreSQL, and nobody else's", async () => {
    const [one, other] = clients(pooledUrl) as [Database, Database];
    await closing([one, other], async () => {
      const caller = new AbortController();
      const mine = one.query(sleep, [], { signal: caller.signal }).catch((error) => error);
      const others = other.query(sleep);
      await until(
        "both to run",
        async () => (await sessions("query LIKE '%work of one client%' AND state = 'active'")) >= 2,
      );
      caller.abort();
      expect(await mine).toMatchObject({ code: Code.CANCELLED });
      expect(await others).toHaveLength(1);
      const again = one.transactional(async () => "done", { signal: AbortSignal.timeout(1000) });
      expect(await again).toBe("done");
    });
  });

  it("a service works, and goes past it for what needs a session of its own", async () => {
    const stage: TaskStage = await startStage("pooler", {
      database: { url: database.url, drop: async () => {} },
      environment: { TASK_DB_POOLER_URL: pooledUrl, SERVICE_INSTANCE_ID: "task-7" },
    });
    try {
      const ada = stage.person("Ada");
      const tasks = await Promise.all(
        Array.from({ length: 40 }, (_, index) => ada.client.createTask({ task: { title: `task ${index}` } }, ada.as())),
      );
      const taskId = tasks[0]?.task?.taskId ?? "";
      await ada.client.completeTask({ taskId }, ada.as());
      const { activities } = await ada.client.listTaskActivity({ taskId }, ada.as());
      expect(activities.map(({ fact }) => fact.case)).toEqual(["taskCompleted", "taskCreated"]);
      await until("the relay to lead over a session of its own", async () => {
        const { rows } = await sql.query(
          `SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
           WHERE locktype = 'advisory' AND application_name = 'task-7 relay'`,
        );
        return rows.length === 1;
      });
      await until("the events to have gone out", async () => {
        const { rows } = await sql.query(
          "SELECT 1 FROM outbox_event, outbox_cursor AS cursor WHERE (outbox_event.xid, outbox_event.seq) > (cursor.xid, cursor.seq)",
        );
        return rows.length === 0;
      });
      expect(await sessions("application_name = 'task-7'")).toBeLessThanOrEqual(lent);
    } finally {
      await stage.close();
    }
  });
});
