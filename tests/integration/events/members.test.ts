import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../_util/until.ts";
import { countEffects, effectsOf, eventRecord, openStage, type Stage } from "./stage.ts";

interface Member {
  name: string;
  child: ChildProcess;
  partitions: number[];
}

let stage: Stage;
const members: Member[] = [];
beforeEach(async () => {
  stage = await openStage("members", { partitions: 12 });
});
afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => end(member, "SIGKILL")));
  await stage.close();
});

function join(name: string): Member {
  const script = fileURLToPath(new URL("./consumer-process.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    [script, stage.url, stage.brokers[0] as string, stage.group, stage.topic, name],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, LOG_LEVEL: "silent" },
    },
  );
  const member: Member = { name, child, partitions: [] };
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
    member.partitions = JSON.parse(line);
  });
  members.push(member);
  return member;
}

async function end({ child }: Member, signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
  return child.exitCode;
}

const shares = (...among: Member[]) => among.map(({ partitions }) => partitions.length).sort((a, b) => a - b);
const cover = (...among: Member[]) => new Set(among.flatMap(({ partitions }) => partitions)).size === 12;

/** Writes all the time, so that whatever happens to the group happens under load. */
function startWriting() {
  let stopped = false;
  let written = 0;
  const write = async () => {
    while (!stopped) {
      const records = Array.from({ length: 20 }, (_, n) => eventRecord(stage.topic, `k${n}`, written / 20 + 1));
      await stage.producer.send(records);
      written += records.length;
      await until("the consumers to keep up", async () => written - (await countEffects(stage.database)) < 2000);
    }
  };
  const running = write();
  return {
    async stop() {
      stopped = true;
      await running;
      return written;
    },
  };
}

async function everythingOnce(written: number): Promise<void> {
  await until("all effects", async () => (await countEffects(stage.database)) >= written);
  const effects = await effectsOf(stage.database);
  expect(effects.length).toBe(written);
  expect(new Set(effects.map(({ event_id }) => event_id)).size).toBe(written);
}

test("members share the partitions; those of one that is killed or leaves go to the others, and nothing is lost", async () => {
  const writing = startWriting();
  const first = join("first");
  await until("one member with all", () => shares(first)[0] === 12);
  const second = join("second");
  const third = join("third");
  await until("an even share", () => String(shares(first, second, third)) === "4,4,4" && cover(first, second, third));

  await end(second, "SIGKILL");
  await until("the dead member's partitions elsewhere", () => cover(first, third), { timeoutMs: 20_000 });
  expect(shares(first, third)).toEqual([6, 6]);

  expect(await end(third, "SIGTERM")).toBe(0);
  await until("the last member with all", () => shares(first)[0] === 12, { timeoutMs: 5000 });

  await everythingOnce(await writing.stop());
});

test("a member that is frozen loses its partitions, and does nothing twice when it goes on", async () => {
  const writing = startWriting();
  const first = join("first");
  const frozen = join("frozen");
  await until("an even share", () => String(shares(first, frozen)) === "6,6" && cover(first, frozen));
  frozen.child.kill("SIGSTOP");
  await until("its partitions elsewhere", () => shares(first)[0] === 12, { timeoutMs: 20_000 });
  frozen.child.kill("SIGCONT");
  await until("an even share again", () => String(shares(first, frozen)) === "6,6" && cover(first, frozen));
  await everythingOnce(await writing.stop());
});
