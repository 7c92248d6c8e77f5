import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { isRunning, stopOrphans } from "../../cli/runner/orphans.ts";
import * as kafka from "../../cli/runner/parts/kafka.ts";
import * as postgres from "../../cli/runner/parts/postgres.ts";
import * as redis from "../../cli/runner/parts/redis.ts";
import { pickPorts } from "../../cli/runner/ports.ts";
import type { RunningPart } from "../../cli/runner/process-spec.ts";
import { startTimeOf } from "../../cli/runner/process-table.ts";
import { type InstanceState, readState, writeState } from "../../cli/runner/state.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The superuser's URL; tests make databases of their own, see createTestDatabase. */
    postgres: string;
    redis: string;
    /** host:port of the broker. */
    kafka: string;
  }
}

const prefix = "taskmesh-test-";
const say = (line: string) => process.stderr.write(`${line}\n`);

/** Starts the real parts once for the whole run, except those that TEST_PG_URL, TEST_REDIS_URL or TEST_KAFKA_BROKERS name. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await clearKilledRuns();
  const folder = await mkdtemp(join(tmpdir(), prefix));
  // PostgreSQL may have to run as another account, which must get to its data.
  await chmod(folder, 0o711);
  const started: RunningPart[] = [];
  const close = async () => {
    await Promise.all(started.map((part) => part.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const addresses = await startParts(folder, started);
    project.provide("postgres", addresses.postgres);
    project.provide("redis", addresses.redis);
    project.provide("kafka", addresses.kafka);
  } catch (error) {
    await close();
    throw error;
  }
  return close;
}

async function startParts(folder: string, started: RunningPart[]) {
  const { TEST_PG_URL, TEST_REDIS_URL, TEST_KAFKA_BROKERS } = process.env;
  const [sql, redisPort, broker, controllerPort] = (await pickPorts(4)) as [number, number, number, number];
  const files = (name: string) => ({ dataDir: join(folder, name), logFile: join(folder, `${name}.log`) });
  const passwordFile = join(folder, "postgres.password");
  const addressOf = async (given: string | undefined, start: () => Promise<RunningPart>) => {
    if (given) return given;
    const part = await start();
    started.push(part);
    await record(folder, started);
    return part.address;
  };
  const starts = await Promise.allSettled([
    addressOf(TEST_PG_URL, () => postgres.start({ ...files("postgres"), port: sql, passwordFile }, say)),
    addressOf(TEST_REDIS_URL, () => redis.start({ ...files("redis"), port: redisPort }, say)),
    addressOf(TEST_KAFKA_BROKERS, () => kafka.start({ ...files("kafka"), port: broker, controllerPort }, say)),
  ]);
  const [pg, cache, log] = starts.map(unwrap) as [string, string, string];
  return { postgres: pg, redis: cache, kafka: log };
}

function unwrap<T>(result: PromiseSettledResult<T>): T {
  if (result.status === "rejected") throw result.reason;
  return result.value;
}

/** Writes down what runs, so that the next run can take it down if this one is killed. */
async function record(folder: string, parts: readonly RunningPart[]): Promise<void> {
  const instances = parts.map(
    async ({ pid, address }): Promise<InstanceState> => ({
      name: address.startsWith("postgres:") ? "postgres" : "part",
      status: "ready",
      pid,
      startTime: await startTimeOf(pid),
      ports: {},
      restarts: 0,
      residentBytes: 0,
      memoryShare: 0,
    }),
  );
  writeState(join(folder, "state.json"), {
    runner: { pid: process.pid, startTime: await startTimeOf(process.pid) },
    startedAt: new Date().toISOString(),
    profile: "light",
    ports: {},
    instances: await Promise.all(instances),
  });
}

async function clearKilledRuns(): Promise<void> {
  const folders = (await readdir(tmpdir())).filter((name) => name.startsWith(prefix));
  for (const folder of folders.map((name) => join(tmpdir(), name))) {
    const state = readState(join(folder, "state.json"));
    if (state === undefined || (await isRunning(state))) continue;
    await stopOrphans(state);
    await rm(folder, { recursive: true, force: true });
  }
}
