import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Database } from "#kit/db/database.ts";
import { Code } from "#kit/errors.ts";
import { createTestDatabase, type TestDatabase, testPool } from "../../_util/database.ts";
import { until } from "../../_util/until.ts";

let own: TestDatabase;
let look: ReturnType<typeof testPool>;
let database: Database;

beforeAll(async () => {
  own = await createTestDatabase("pool");
  look = testPool(own.url, 1);
});
afterAll(async () => {
  await look?.end();
  await own?.drop();
});
function openPool(acquireMs: number): void {
  const pool = { min: 2, max: 4, acquireMs, idleMs: 1_000 };
  database = new Database({ url: own.url, entities: [], applicationName: "pool test", pool });
}
afterEach(() => database.close());

/** How many of these connections PostgreSQL still has. */
async function open(pids: readonly number[]): Promise<number> {
  const { rows } = await look.query("SELECT count(*)::int AS count FROM pg_stat_activity WHERE pid = ANY ($1)", [pids]);
  return rows[0].count;
}

interface Held {
  /** Of the connections, once all have one. */
  pids: Promise<number[]>;
  end: () => Promise<unknown>;
}

/** So many transactions at a time, until they are let go. */
function hold(count: number): Held {
  const over = Promise.withResolvers<void>();
  const pids: Promise<number>[] = [];
  const held = Array.from({ length: count }, () => {
    const begun = Promise.withResolvers<number>();
    pids.push(begun.promise);
    return database.transactional(async (em) => {
      const [{ pid } = { pid: 0 }] = await em.execute<{ pid: number }[]>("SELECT pg_backend_pid() AS pid");
      begun.resolve(pid);
      await over.promise;
    });
  });
  const end = () => {
    over.resolve();
    return Promise.all(held);
  };
  return { pids: Promise.all(pids), end };
}

describe("a pool", () => {
  it("has no more connections than it may, tells who waits too long so, and keeps the least once all is quiet", async () => {
    openPool(500);
    const held = hold(4);
    const pids = await held.pids;
    expect(await open(pids)).toBe(4);
    const refused = await database.query("SELECT 1").catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: Code.UNAVAILABLE });
    expect((refused as { retryAfterMs?: number }).retryAfterMs).toBeGreaterThan(0);
    const waiting = database.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await held.end();
    expect(pids).toContain((await waiting)[0]?.pid);
    await until("idle connections to go", async () => (await open(pids)) === 2);
    const [row] = await database.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    expect(pids).toContain(row?.pid);
  });

  it("keeps nobody waiting whose call is over, however long one may wait, and loses no connection by that", async () => {
    openPool(600_000);
    const held = hold(4);
    const pids = await held.pids;
    const caller = new AbortController();
    const waiting = database.query("SELECT 1", [], { signal: caller.signal }).catch((error: unknown) => error);
    caller.abort();
    expect(await waiting).toMatchObject({ code: Code.CANCELLED });
    await held.end();
    const again = hold(4);
    expect((await again.pids).toSorted()).toEqual(pids.toSorted());
    await again.end();
  });
});
