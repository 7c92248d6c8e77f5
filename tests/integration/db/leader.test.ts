import { afterAll, beforeAll, expect, it } from "vitest";
import { type Database, openDatabase } from "#kit/db/database.ts";
import { type Leader, startLeader, type Term } from "#kit/db/leader.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { createTestDatabase, type TestDatabase } from "../../_util/database.ts";
import { until } from "../../_util/until.ts";

let own: TestDatabase;
let database: Database;
const lifecycle = new Lifecycle();
beforeAll(async () => {
  own = await createTestDatabase("leader");
  database = await openDatabase({ url: own.url, entities: [], migrations: [], lifecycle, applicationName: "leader" });
});
afterAll(async () => {
  await lifecycle.stop();
  await own.drop();
});

const quick = { standbyMs: 50, frozenMs: 60_000 };

/** Candidates for one job; those in `silent` give no sign of life while they lead. */
function candidates(name: string, count: number, { frozenMs = quick.frozenMs, silent = new Set<number>() } = {}) {
  const leadWell = async (term: Term) => {
    while (!term.over) {
      await term.connection.query("SELECT 1");
      await term.pause(20);
    }
  };
  const leadSilently = async (term: Term) => {
    while (!term.over) await term.pause(1_000);
  };
  return Array.from({ length: count }, (_, index) =>
    startLeader({ ...quick, frozenMs, database, name, lifecycle, lead: silent.has(index) ? leadSilently : leadWell }),
  );
}

const oneLeads = (among: Leader[]) =>
  until("one of them to lead", () => {
    const [leader, ...others] = among.filter(({ leads }) => leads);
    return others.length === 0 && leader;
  });

it("one leads at a time, another when it stops, and jobs do not mind each other", async () => {
  const all = candidates("job", 3);
  const other = candidates("other job", 1);
  const first = await oneLeads(all);
  await oneLeads(other);
  await first.stop();
  const second = await oneLeads(all);
  expect(second).not.toBe(first);
  expect(first.leads).toBe(false);
  await Promise.all([...all, ...other].map((leader) => leader.stop()));
});

it("another leads when the leader's session ends", async () => {
  const all = candidates("cut off", 2);
  const first = await oneLeads(all);
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'advisory' AND granted AND datname = current_database()`,
  );
  await until("it to notice", () => !first.leads);
  await oneLeads(all);
  await Promise.all(all.map((leader) => leader.stop()));
});

it("another leads when the leader gives no sign of life", async () => {
  const [silent] = candidates("frozen", 1, { silent: new Set([0]) });
  await until("it to lead", () => silent?.leads);
  const [next] = candidates("frozen", 1, { frozenMs: 300 });
  await until("the next to lead", () => next?.leads);
  await until("the first to notice", () => !silent?.leads);
  await Promise.all([silent?.stop(), next?.stop()]);
});
