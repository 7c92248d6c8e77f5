import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import { appendOutbox } from "#kit/events/outbox.ts";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { collect, openStage, type Stage } from "./stage.ts";

const writers = 32;
const eventsPerWriter = 160;
const aggregates = 200;

const lock = statement("test-lock", "SELECT event_sequence FROM aggregate WHERE aggregate_id = $1 FOR UPDATE");
const bump = statement("test-bump", "UPDATE aggregate SET event_sequence = $2 WHERE aggregate_id = $1");

let stage: Stage;
beforeAll(async () => {
  stage = await openStage("outbox-order", { pool: { min: 0, max: writers } });
  await stage.database.query("INSERT INTO aggregate SELECT 'a' || n FROM generate_series(1, $1::int) AS n", [
    aggregates,
  ]);
});
afterAll(() => stage.close());

/** One write as a service does it: lock, bump, append, and at some time commit, or not. */
async function write(committed: Set<string>): Promise<void> {
  const key = `a${1 + Math.floor(Math.random() * aggregates)}`;
  const eventId = newId();
  const rolledBack = new Error("rolled back");
  try {
    await stage.database.transactional(async (em) => {
      const [row] = await execute<{ event_sequence: bigint }>(em, lock, [key]);
      const sequence = (row?.event_sequence ?? 0n) + 1n;
      await execute(em, bump, [key, String(sequence)]);
      await appendOutbox(em, {
        topic: stage.topic,
        key,
        eventId,
        type: "test.v1.Happened",
        sequence,
        payload: Buffer.from(key),
        occurTime: new Date(),
      });
      await delay(Math.random() < 0.1 ? Math.random() * 200 : Math.random() * 20);
      if (Math.random() < 0.1) throw rolledBack;
    });
    committed.add(eventId);
  } catch (error) {
    if (error !== rolledBack) throw error;
  }
}

async function writeAll(): Promise<Set<string>> {
  const committed = new Set<string>();
  const writer = async () => {
    for (let n = 0; n < eventsPerWriter; n += 1) await write(committed);
  };
  await Promise.all(Array.from({ length: writers }, writer));
  return committed;
}

/** What everybody writes first: the highest sequence seen is the place to go on from. */
function startNaivePoller() {
  const seen = new Set<string>();
  let last = 0n;
  let stopped = false;
  const poll = async () => {
    while (!stopped) {
      const rows = await stage.database.query<{ event_id: string; seq: bigint }>(
        "SELECT event_id, seq FROM outbox_event WHERE seq > $1 ORDER BY seq LIMIT 500",
        [String(last)],
        { name: "naive-poll" },
      );
      for (const { event_id } of rows) seen.add(event_id);
      last = rows.at(-1)?.seq ?? last;
      await delay(20);
    }
  };
  const running = poll();
  return {
    async stop() {
      await delay(500);
      stopped = true;
      await running;
      return seen;
    },
  };
}

function startRelayProcess(): ChildProcess {
  const script = fileURLToPath(new URL("./relay-process.ts", import.meta.url));
  const args = [script, stage.url, stage.brokers[0] as string, stage.topic];
  return spawn(process.execPath, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, LOG_LEVEL: "silent" },
  });
}

/** Two instances of the service; the older one is killed again and again, and replaced. */
function startRelayStorm() {
  const relays = [startRelayProcess(), startRelayProcess()];
  let stopped = false;
  let kills = 0;
  const storm = async () => {
    while (!stopped) {
      await delay(1200);
      relays.push(startRelayProcess());
      relays.shift()?.kill("SIGKILL");
      kills += 1;
    }
  };
  const running = storm();
  return {
    async calm() {
      stopped = true;
      await running;
      return kills;
    },
    async stop() {
      for (const relay of relays) relay.kill("SIGKILL");
      await Promise.all(relays.map((relay) => relay.exitCode ?? relay.signalCode ?? once(relay, "exit")));
    },
  };
}

test("every committed event leaves once or more, in its aggregate's order, and no other does, whichever relay is killed [mesh.04] [beyond.11]", async () => {
  const seen = await collect(stage);
  const storm = startRelayStorm();
  const naive = startNaivePoller();
  const committed = await writeAll();
  const naivelySeen = await naive.stop();
  const kills = await storm.calm();

  const sent = () => new Set(seen.map(({ meta }) => meta.eventId));
  await until("all committed events", () => [...committed].every((id) => sent().has(id)), { everyMs: 200 });
  await storm.stop();

  expect(kills).toBeGreaterThan(2);
  expect([...sent()].filter((id) => !committed.has(id))).toEqual([]);
  for (const events of Map.groupBy(seen, ({ meta }) => meta.key).values()) {
    const firstSeen = [...new Set(events.map(({ meta }) => Number(meta.sequence)))];
    expect(firstSeen).toEqual(firstSeen.map((_, index) => index + 1));
  }
  // The proof that the load above is one that loses events: the usual way of polling does.
  expect([...committed].filter((id) => !naivelySeen.has(id)).length).toBeGreaterThan(0);
});
