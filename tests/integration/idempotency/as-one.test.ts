import { defineEntity, p } from "@mikro-orm/postgresql";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Database, execute, openDatabase } from "#kit/db/database.ts";
import { isUniqueViolation } from "#kit/db/errors.ts";
import { sqlMigration } from "#kit/db/migrate.ts";
import { statement } from "#kit/db/statement.ts";
import { Code } from "#kit/errors.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { createTestDatabase, type TestDatabase } from "../../_util/database.ts";

const Line = defineEntity({
  name: "Line",
  tableName: "line",
  properties: { lineId: p.bigint().primary(), text: p.text() },
});
const lines = sqlMigration(
  "Migration20261121000004_lines",
  ["CREATE TABLE line (line_id bigint PRIMARY KEY, text text NOT NULL)"],
  ["DROP TABLE line"],
);
const insert = statement("test-line-insert", "INSERT INTO line VALUES ($1::bigint, $2)");
const transactionId = "SELECT pg_current_xact_id()::text::bigint AS id";

let own: TestDatabase;
let database: Database;
const lifecycle = new Lifecycle();
beforeAll(async () => {
  own = await createTestDatabase("as one");
  database = await openDatabase({
    url: own.url,
    entities: [Line],
    migrations: [lines],
    pool: { min: 0, max: 2 },
    lifecycle,
    applicationName: "as-one-test",
  });
});
beforeEach(() => database.query("TRUNCATE line"));
afterAll(async () => {
  await lifecycle.stop();
  await own.drop();
});

const stored = async () =>
  (await database.query<{ text: string }>("SELECT text FROM line ORDER BY line_id")).map(({ text }) => text);

test("queries and transactions inside are one transaction, and see what came before", async () => {
  const ids = await database.asOne(async (em) => {
    const [own] = await execute<{ id: bigint }>(em, statement("test-xact", transactionId));
    const [queried] = await database.query<{ id: bigint }>(`${transactionId} -- in text`);
    const joined = await database.transactional(async (inner) => {
      inner.create(Line, { lineId: 1n, text: "persisted" }, { persist: true });
      return (await execute<{ id: bigint }>(inner, statement("test-xact", transactionId)))[0];
    });
    await database.query(insert, ["2", "queried"]);
    expect(await stored()).toEqual(["persisted", "queried"]);
    return [own?.id, queried?.id, joined?.id];
  });
  expect(new Set(ids).size).toBe(1);
  expect(typeof ids[0]).toBe("bigint");
  expect(await stored()).toEqual(["persisted", "queried"]);
});

test("others do not join", async () => {
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const whole = database.asOne(async () => {
    await database.query(insert, ["1", "inside"]);
    begun.resolve();
    await goOn.promise;
  });
  await begun.promise;
  expect(await stored()).toEqual([]);
  goOn.resolve();
  await whole;
  expect(await stored()).toEqual(["inside"]);
});

test("nothing stays when it fails at its end", async () => {
  const whole = database.asOne(async () => {
    await database.transactional(async (em) => void (await execute(em, insert, ["1", "lost"])));
    await database.query(insert, ["2", "lost"]);
    throw new Error("fault");
  });
  await expect(whole).rejects.toThrow("fault");
  expect(await stored()).toEqual([]);
});

test("a part that failed takes the whole with it, even if its error was caught", async () => {
  const caught = database.asOne(async () => {
    const failing = database.transactional(async (em) => {
      await execute(em, insert, ["1", "half"]);
      throw new Error("fault of a part");
    });
    await expect(failing).rejects.toThrow("fault of a part");
    return "as if nothing had happened";
  });
  await expect(caught).rejects.toThrow("fault of a part");

  await database.query(insert, ["1", "first"]);
  const violation = database.asOne(async () => {
    await database.query(insert, ["1", "second"]).catch(() => {});
    await expect(database.query("SELECT 1")).rejects.toMatchObject({ code: Code.ALREADY_EXISTS });
  });
  const error = await violation.catch((thrown: unknown) => thrown);
  expect(isUniqueViolation(error, "line_pkey")).toBe(true);
  expect(await stored()).toEqual(["first"]);
});

test("an aborted signal cancels the query under way and rolls back; what comes too late does nothing", async () => {
  const caller = new AbortController();
  const late = Promise.withResolvers<unknown>();
  const goOn = Promise.withResolvers<void>();
  const whole = database.asOne(
    async () => {
      await database.query(insert, ["1", "lost"]);
      const sleeping = database.query("SELECT pg_sleep(1.2)");
      setTimeout(() => caller.abort(), 20);
      await sleeping.catch(() => {});
      await goOn.promise;
      late.resolve(await database.transactional((em) => execute(em, insert, ["2", "late"])).catch((e: unknown) => e));
    },
    { signal: caller.signal },
  );
  await expect(whole).rejects.toMatchObject({ code: Code.CANCELLED });
  goOn.resolve();
  expect(await late.promise).toBeInstanceOf(Error);
  expect(await stored()).toEqual([]);
  expect(await database.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("what outlives the transaction does not start one of its own", async () => {
  const goOn = Promise.withResolvers<void>();
  let straggler: Promise<unknown> | undefined;
  await database.asOne(async () => {
    straggler = goOn.promise.then(() => database.query(insert, ["1", "late"]));
  });
  goOn.resolve();
  await expect(straggler).rejects.toThrow("over");
  expect(await stored()).toEqual([]);
});

test("a statement's time limit still holds", async () => {
  const whole = database.asOne(() => database.query("SELECT pg_sleep(3)"));
  await expect(whole).rejects.toMatchObject({ code: Code.DEADLINE_EXCEEDED });
});

test("what is done apart stays done when the whole is not, and does not see it", async () => {
  const whole = database.asOne(async () => {
    await database.query(insert, ["1", "whole"]);
    await database.apart(async () => {
      expect(await stored()).toEqual([]);
      await database.query(insert, ["2", "apart"]);
      await database.transactional(async (em) => void (await execute(em, insert, ["3", "apart too"])));
    });
    expect(await stored()).toEqual(["whole", "apart", "apart too"]);
    throw new Error("fault");
  });
  await expect(whole).rejects.toThrow();
  expect(await stored()).toEqual(["apart", "apart too"]);
  await database.apart(() => database.query(insert, ["4", "with nothing around it"]));
  expect(await stored()).toHaveLength(3);
});
