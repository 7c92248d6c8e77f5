import { defineEntity, p } from "@mikro-orm/postgresql";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Database, execute, openDatabase, schemaDrift } from "#kit/db/database.ts";
import { isUniqueViolation } from "#kit/db/errors.ts";
import { sqlMigration } from "#kit/db/migrate.ts";
import { statement } from "#kit/db/statement.ts";
import { Code, ServiceError } from "#kit/errors.ts";
import { consumerMigration } from "#kit/events/consumer.ts";
import { outboxMigration } from "#kit/events/outbox.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { createTestDatabase, type TestDatabase, testPool } from "../../_util/database.ts";
import { until } from "../../_util/until.ts";

const Note = defineEntity({
  name: "Note",
  tableName: "note",
  properties: { noteId: p.uuid().primary(), text: p.text().unique(), count: p.bigint(), createTime: p.datetime() },
});

const notes = sqlMigration(
  "Migration20261121000003_notes",
  [
    `CREATE TABLE note (note_id uuid PRIMARY KEY, text text NOT NULL CONSTRAINT note_text_unique UNIQUE,
      count bigint NOT NULL, create_time timestamptz NOT NULL)`,
  ],
  ["DROP TABLE note"],
);

let own: TestDatabase;
let database: Database;
const lifecycle = new Lifecycle();
beforeAll(async () => {
  own = await createTestDatabase("database");
  database = await openDatabase({
    url: own.url,
    entities: [Note],
    migrations: [outboxMigration, consumerMigration, notes],
    pool: { min: 0, max: 3 },
    lifecycle,
    applicationName: "database-test",
  });
});
afterAll(async () => {
  await lifecycle.stop();
  await own.drop();
});

const running = (text: string) =>
  database.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
     AND query LIKE '%' || $1 || '%' AND pid <> pg_backend_pid()`,
    [text],
  );

const failure = async (work: Promise<unknown>): Promise<ServiceError> => {
  const error = await work.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ServiceError);
  return error as ServiceError;
};

const insertNote = statement("test-note", "INSERT INTO note VALUES ($1, 'never', 1, now())");
const sleep = statement("test-sleep", "SELECT pg_sleep(1.2), 'work in a transaction'");

test("an aborted signal cancels the query in PostgreSQL", async () => {
  const caller = new AbortController();
  const work = failure(database.query("SELECT pg_sleep(1.2), 'work of a caller'", [], { signal: caller.signal }));
  await until("the query to run", async () => (await running("work of a caller")).length === 1, { everyMs: 10 });
  caller.abort();
  expect(await work).toMatchObject({ code: Code.CANCELLED });
  expect(await running("work of a caller")).toEqual([]);
});

test("a signal whose time is over ends a transaction, and nothing of it stays", async () => {
  const late = database.transactional(
    async (em) => {
      await execute(em, insertNote, [newId()]);
      await execute(em, sleep);
    },
    { signal: AbortSignal.timeout(100) },
  );
  expect(await failure(late)).toMatchObject({ code: Code.DEADLINE_EXCEEDED });
  expect(await running("work in a transaction")).toEqual([]);
  expect(await database.query("SELECT 1 FROM note WHERE text = 'never'")).toEqual([]);
});

test("reads of an entity manager are cancelled with the signal that stands over them", async () => {
  const read = database.scoped(AbortSignal.timeout(50), () =>
    database.em().execute("SELECT pg_sleep(1.2), 'an entity'"),
  );
  expect(await failure(read)).toMatchObject({ code: Code.DEADLINE_EXCEEDED });
  expect(await running("an entity")).toEqual([]);
});

test("work that goes on after its transaction was ended reaches nothing", async () => {
  const went = Promise.withResolvers<unknown>();
  const work = database.transactional(
    async (em) => {
      const signal = Promise.withResolvers<void>();
      setTimeout(signal.resolve, 150);
      await signal.promise;
      went.resolve(await execute(em, sleep).catch((error: Error) => error));
    },
    { signal: AbortSignal.timeout(50) },
  );
  await failure(work);
  expect(await went.promise).toBeInstanceOf(Error);
});

test("PostgreSQL gives up a statement after the session's limit, or the transaction's own", async () => {
  expect(await failure(database.query("SELECT pg_sleep(5)"))).toMatchObject({ code: Code.DEADLINE_EXCEEDED });
  const short = database.transactional((em) => execute(em, sleep), { statementTimeoutMs: 50 });
  expect(await failure(short)).toMatchObject({ code: Code.DEADLINE_EXCEEDED });
});

test("sessions that idle in a transaction are limited to five seconds", async () => {
  const [row] = await database.query("SELECT current_setting('idle_in_transaction_session_timeout') AS limit");
  expect(row).toEqual({ limit: "5s" });
});

test("however transactions end, their connections come back", async () => {
  const killAll = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
  const rounds = Array.from({ length: 5 });
  for (const _ of rounds) {
    await failure(database.transactional((em) => execute(em, sleep), { signal: AbortSignal.abort() }));
    await failure(
      database.transactional(async (em) => {
        await execute(em, statement("test-one", "SELECT 1 AS one"));
        await database.query(killAll);
        await execute(em, statement("test-one", "SELECT 1 AS one"));
      }),
    );
  }
  await until("a connection", () => database.query("SELECT 1").then(() => true));
  const three = Promise.all([1, 2, 3].map(() => database.transactional((em) => execute(em, sleep))));
  await expect(three).resolves.toHaveLength(3);
});

test("many writers at once share a few connections of PostgreSQL; each change is done wholly, once, and is seen by all, or not at all [000.07]", async () => {
  const [server] = await database.query<{ version: string }>("SELECT version()");
  expect(server?.version).toMatch(/^PostgreSQL /);
  await database.query("INSERT INTO note VALUES (gen_random_uuid(), 'counted', 0, now())");
  const copy = statement("test-copy-note", "INSERT INTO note VALUES (gen_random_uuid(), 'counted', 0, now())");
  const add = statement("test-add-note", "UPDATE note SET count = count + 1 WHERE text = 'counted'");
  const most = { connections: 0 };
  const watching = new AbortController();
  const watch = (async () => {
    const look = testPool(own.url, 1);
    const sql = "SELECT count(*)::int AS open FROM pg_stat_activity WHERE application_name = 'database-test'";
    while (!watching.signal.aborted)
      most.connections = Math.max(most.connections, (await look.query(sql)).rows[0].open);
    await look.end();
  })();
  // Every third breaks its constraint after its first change, which is undone with it.
  const outcomes = await Promise.allSettled(
    Array.from({ length: 30 }, (_, index) =>
      database.transactional(async (em) => {
        await execute(em, add);
        if (index % 3 === 0) await execute(em, copy);
      }),
    ),
  );
  watching.abort();
  await watch;
  const done = outcomes.filter(({ status }) => status === "fulfilled").length;
  expect(done).toBeGreaterThan(0);
  expect(done).toBeLessThanOrEqual(20);
  const elsewhere = testPool(own.url, 1);
  expect((await elsewhere.query("SELECT count::int FROM note WHERE text = 'counted'")).rows).toEqual([{ count: done }]);
  await elsewhere.end();
  // Those of the pool, and the one by which health is asked.
  expect(most.connections).toBeGreaterThan(1);
  expect(most.connections).toBeLessThanOrEqual(4);
});

test("errors of the driver come out neutral, and a broken constraint can be told", async () => {
  const insert = () =>
    database.transactional(async (em) => {
      em.create(Note, { noteId: newId(), text: "private words", count: 1n, createTime: new Date() });
    });
  await insert();
  const twice = await failure(insert());
  expect(twice).toMatchObject({ code: Code.ALREADY_EXISTS });
  expect(twice.message).not.toContain("private");
  expect(isUniqueViolation(twice, "note_text_unique")).toBe(true);
  expect(isUniqueViolation(twice, "another")).toBe(false);
  expect(await failure(database.query("SELECT * FROM nothing_like_this"))).toMatchObject({
    code: Code.INTERNAL,
    message: "internal error",
  });
});

test("two transactions in each other's way end as ABORTED for one of them", async () => {
  await database.query("INSERT INTO note SELECT gen_random_uuid(), 'row ' || n, n, now() FROM generate_series(1, 2) n");
  const bump = statement("test-bump-note", "UPDATE note SET count = count + 1 WHERE text = $1");
  const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  const cross = (mine: 0 | 1) =>
    database.transactional(async (em) => {
      await execute(em, bump, [`row ${mine + 1}`]);
      both[mine].resolve();
      await Promise.all(both.map(({ promise }) => promise));
      await execute(em, bump, [`row ${2 - mine}`]);
    });
  const outcomes = await Promise.allSettled([cross(0), cross(1)]);
  const failed = outcomes.filter((outcome) => outcome.status === "rejected");
  expect(failed.map(({ reason }) => reason.code)).toEqual([Code.ABORTED]);
});

test("hand-written SQL answers with bigint, Date and Buffer, prepared or not", async () => {
  const sql =
    "SELECT 9007199254740993::int8 AS big, '2026-11-21T10:00:00Z'::timestamptz AS time, '\\x01'::bytea AS bytes";
  const expected = [{ big: 9007199254740993n, time: new Date("2026-11-21T10:00:00Z"), bytes: Buffer.from([1]) }];
  expect(await database.query(sql)).toEqual(expected);
  expect(await database.query(sql, [], { name: "test-types" })).toEqual(expected);
  expect(await database.transactional((em) => execute(em, statement("test-types", sql)))).toEqual(expected);
});

test("the entities and the migrated tables agree, and the kit's own tables do not count", async () => {
  expect(await schemaDrift(database)).toBe("");
});

test("a database that is not there ends the start with one plain line", async () => {
  const url = new URL(own.url);
  url.port = "9";
  const start = openDatabase({
    url: url.href,
    entities: [],
    migrations: [],
    lifecycle,
    applicationName: "nowhere",
    startTimeoutMs: 200,
  });
  await expect(start).rejects.toThrow(/^the database at 127\.0\.0\.1:9\/\w+ does not answer: ECONNREFUSED$/);
});

test("news of a transaction wait for its commit, and die with it", async () => {
  const told: string[] = [];
  const tell = (text: string) => () => void told.push(text);
  await database.transactional(async (em) => {
    database.afterCommit(tell("of its own"), em);
    await execute(em, { text: "SELECT 1" });
    expect(told).toEqual([]);
  });
  expect(told).toEqual(["of its own"]);

  const undone = database.transactional(async (em) => {
    database.afterCommit(tell("undone"), em);
    throw new Error("no");
  });
  await expect(undone).rejects.toThrow("no");
  database.afterCommit(tell("of none"));
  expect(told).toEqual(["of its own", "of none"]);

  await database.asOne(async () => {
    await database.transactional(async (em) => database.afterCommit(tell("of a part"), em));
    database.afterCommit(tell("of the whole"));
    expect(told).toHaveLength(2);
  });
  expect(told.slice(2)).toEqual(["of a part", "of the whole"]);
});
