import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { appendOutbox } from "#kit/events/outbox.ts";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { collect, openStage, type Stage } from "./stage.ts";

interface RelayProcess {
  child: ChildProcess;
  active: boolean;
}

let stage: Stage;
const relays: RelayProcess[] = [];
beforeEach(async () => {
  stage = await openStage("relay-takeover");
});
afterEach(async () => {
  for (const { child } of relays) child.kill("SIGKILL");
  await Promise.all(relays.splice(0).map(({ child }) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
  await stage.close();
});

function start(): RelayProcess {
  const script = fileURLToPath(new URL("./relay-process.ts", import.meta.url));
  const child = spawn(process.execPath, [script, stage.url, stage.brokers[0] as string, stage.topic], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, LOG_LEVEL: "silent" },
  });
  const relay = { child, active: false };
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
    relay.active = line === "active";
  });
  relays.push(relay);
  return relay;
}

const write = (sequence: number) =>
  stage.database.transactional((em) =>
    appendOutbox(em, {
      topic: stage.topic,
      key: "a",
      eventId: newId(),
      type: "test.v1.Happened",
      sequence,
      payload: Buffer.alloc(1),
      occurTime: new Date(),
    }),
  );

test.each(["SIGKILL", "SIGSTOP"] as const)("when the active relay gets %s the other takes over", async (signal) => {
  const seen = await collect(stage);
  const sequences = () => [...new Set(seen.map(({ meta }) => Number(meta.sequence)))];
  const first = start();
  await until("the first to be active", () => first.active);
  const second = start();
  await write(1);
  await until("an event by the first", () => sequences().length === 1);
  expect(second.active).toBe(false);

  first.child.kill(signal);
  await write(2);
  await until("an event by the second", () => sequences().length === 2, { timeoutMs: 10_000 });
  expect(second.active).toBe(true);

  if (signal !== "SIGSTOP") return;
  first.child.kill("SIGCONT");
  await until("the first to notice", () => !first.active);
  await write(3);
  await until("the next event", () => sequences().length === 3);
  expect(sequences()).toEqual([1, 2, 3]);
});
