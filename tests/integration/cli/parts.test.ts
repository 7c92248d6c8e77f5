import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as kafka from "../../../cli/runner/parts/kafka.ts";
import * as postgres from "../../../cli/runner/parts/postgres.ts";
import * as redis from "../../../cli/runner/parts/redis.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import type { RunningPart } from "../../../cli/runner/process-spec.ts";
import { startTimeOf } from "../../../cli/runner/process-table.ts";

let folder: string;
let running: RunningPart[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-parts-test-"));
  await chmod(folder, 0o711);
  running = [];
});

afterEach(async () => {
  await Promise.all(running.map((part) => part.stop()));
  await rm(folder, { recursive: true, force: true });
});

async function up(start: () => Promise<RunningPart>): Promise<RunningPart> {
  const part = await start();
  running.push(part);
  return part;
}

async function kill(part: RunningPart): Promise<void> {
  process.kill(part.pid, "SIGKILL");
  await expect.poll(() => startTimeOf(part.pid), { timeout: 10_000 }).toBeUndefined();
}

const files = (name: string) => ({ dataDir: join(folder, name), logFile: join(folder, `${name}.log`) });

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe("PostgreSQL", () => {
  const options = async () => ({
    ...files("postgres"),
    port: (await pickPorts(1))[0] as number,
    passwordFile: join(folder, "keys/postgres"),
  });

  test("keeps committed rows over SIGKILL, on the same port and password", async () => {
    const same = await options();
    const first = await up(() => postgres.start(same));
    await query(first.address, "CREATE TABLE kept AS SELECT 'still here' AS word");
    await kill(first);
    const second = await up(() => postgres.start(same));
    expect(second.address).toBe(first.address);
    expect(await query(second.address, "SELECT word FROM kept")).toEqual([{ word: "still here" }]);
  });

  test("lets nobody in without the password, which only its owner can read", async () => {
    const part = await up(async () => postgres.start(await options()));
    const url = new URL(part.address);
    url.password = "guessed";
    await expect(query(url.href, "SELECT 1")).rejects.toThrow(/password authentication failed/);
    expect((await stat(join(folder, "keys/postgres"))).mode & 0o777).toBe(0o600);
  });

  test("knows UUIDv7, UTF-8 case and byte order", async () => {
    const part = await up(async () => postgres.start(await options()));
    const [row] = await query(
      part.address,
      "SELECT lower('ÄÖ') AS lower, 'B' < 'a' AS bytes, uuidv7() IS NOT NULL AS v7",
    );
    expect(row).toEqual({ lower: "äö", bytes: true, v7: true });
  });
});

test("Redis keeps what it acknowledged over SIGKILL", async () => {
  const same = { ...files("redis"), port: (await pickPorts(1))[0] as number };
  const first = await up(() => redis.start(same));
  expect(await redisSays(same.port, "SET kept here")).toBe("+OK");
  await kill(first);
  await up(() => redis.start(same));
  expect(await redisSays(same.port, "GET kept")).toBe("$4\r\nhere");
});

test("Kafka keeps a topic over SIGKILL and still makes none by itself", async () => {
  const [port, controllerPort] = (await pickPorts(2)) as [number, number];
  const same = { ...files("kafka"), port, controllerPort };
  const first = await up(() => kafka.start(same));
  const topic = `kept-${randomBytes(4).toString("hex")}`;
  expect(await createTopic(port, topic)).toBe(0);
  await kill(first);
  await up(() => kafka.start(same));
  const existsAlready = 36;
  expect(await createTopic(port, topic)).toBe(existsAlready);
});

async function redisSays(port: number, command: string): Promise<string> {
  const answer = await exchange(port, Buffer.from(`${command}\r\n`));
  return answer.toString().trim();
}

/** CreateTopics v2 of one topic with one partition; the error code of the answer. */
async function createTopic(port: number, topic: string): Promise<number> {
  const name = Buffer.from(topic);
  const header = Buffer.from([0, 19, 0, 2, 0, 0, 0, 7, 0xff, 0xff]);
  const count = Buffer.from([0, 0, 0, 1, 0, name.length]);
  const rest = Buffer.from([0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x27, 0x10, 0]);
  const body = Buffer.concat([header, count, name, rest]);
  const size = Buffer.alloc(4);
  size.writeInt32BE(body.length);
  const answer = await exchange(port, Buffer.concat([size, body]));
  const errorAt = 4 + 4 + 4 + 4 + 2 + name.length;
  return answer.readInt16BE(errorAt);
}

async function exchange(port: number, message: Buffer): Promise<Buffer> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    socket.write(message);
    const [answer] = (await once(socket, "data")) as [Buffer];
    return answer;
  } finally {
    socket.destroy();
  }
}
