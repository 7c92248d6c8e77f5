import { spawn } from "node:child_process";
import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Instance, type Status } from "./instance.ts";
import { stopOrphans } from "./orphans.ts";
import type { ProcessSpec } from "./process-spec.ts";
import { startTimeOf } from "./process-table.ts";
import { stateOf } from "./status.ts";
import { Supervisor } from "./supervisor.ts";

let folder: string;
let instances: Instance[];
let seen: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-runner-"));
  instances = [];
  seen = [];
});

afterEach(async () => {
  await Promise.all(instances.map((instance) => instance.stop()));
  await rm(folder, { recursive: true, force: true });
});

/** A real child: says that it is ready by a file of its own pid, and lives until it is told otherwise. */
const lives = `require("node:fs").writeFileSync(process.env.READY, String(process.pid)); setInterval(() => {}, 1000);`;
const stubborn = `process.on("SIGTERM", () => {}); ${lives}`;

function make(name: string, code = lives, changes: Partial<ProcessSpec> = {}): Instance {
  const ready = join(folder, name);
  const spec: ProcessSpec = {
    name,
    command: process.execPath,
    args: ["-e", code],
    env: { READY: ready },
    logFile: join(folder, `${name}.log`),
    stopSignal: "SIGTERM",
    stopGrace: 300,
    startTimeout: 10_000,
    beforeStart: () => rm(ready, { force: true }),
    probe: () =>
      access(ready).then(
        () => true,
        () => false,
      ),
    ...changes,
  };
  const instance = new Instance(
    spec,
    {},
    {
      changed: ({ status }) => seen.push(`${name} ${status}`),
      up: async () => void seen.push(`${name} up`),
      down: async () => void seen.push(`${name} down`),
      say: (line) => seen.push(line),
    },
  );
  instances.push(instance);
  return instance;
}

const until = (instance: Instance, status: Status, restarts = 0) =>
  expect.poll(() => [instance.status, instance.restarts], { timeout: 10_000 }).toEqual([status, restarts]);

describe("an instance", () => {
  test("that is killed comes back as another process, out of the load balancing in between", async () => {
    const instance = make("task-1");
    await instance.start();
    const first = instance.pid as number;
    process.kill(first, "SIGKILL");
    await until(instance, "ready", 1);
    expect(instance.pid).not.toBe(first);
    expect(instance.lastFault).toBe("signal SIGKILL");
    expect(seen).toEqual(
      expect.arrayContaining(["task-1 up", "task-1 down", "task-1 restarting", "task-1 starting", "task-1 up"]),
    );
    expect(seen.indexOf("task-1 down")).toBeLessThan(seen.lastIndexOf("task-1 up"));
  });

  test("that never gets ready fails with the last words of its log", async () => {
    const instance = make("task-1", `console.error("TASK_DB_URL is missing: set it to a URL"); process.exit(1)`);
    await expect(instance.start()).rejects.toThrow(
      "task-1 ended while starting (exit code 1): TASK_DB_URL is missing: set it to a URL",
    );
  });

  test("that cannot be run at all fails with one line", async () => {
    const instance = make("task-1", "", { command: join(folder, "nothing-here") });
    await expect(instance.start()).rejects.toThrow(/task-1 cannot be started \(.*ENOENT/);
  });

  test("that is being stopped leaves the load balancing before it gets the signal, and is not restarted", async () => {
    const order: string[] = [];
    const instance = make("task-1", `process.on("SIGTERM", () => process.exit(0)); ${lives}`);
    await instance.start();
    const pid = instance.pid as number;
    const stopping = instance.stop().then(() => order.push("stopped"));
    expect(await startTimeOf(pid)).toBe(instance.startTime);
    await stopping;
    expect(seen.slice(-3)).toEqual(["task-1 stopping", "task-1 down", "task-1 stopped"]);
    expect(await startTimeOf(pid)).toBeUndefined();
  });

  test("that does not listen to SIGTERM is killed after its grace", async () => {
    const instance = make("task-1", stubborn);
    await instance.start();
    const pid = instance.pid as number;
    await instance.stop();
    expect(await startTimeOf(pid)).toBeUndefined();
  });

  test("that is stopped while it waits for its next start stays down", async () => {
    const instance = make("task-1", `${lives} setTimeout(() => process.exit(3), 100)`);
    await instance.start();
    await expect.poll(() => instance.restarts, { timeout: 10_000 }).toBeGreaterThan(1);
    await instance.stop();
    expect([instance.status, instance.pid]).toEqual(["stopped", undefined]);
  });
});

describe("an instance that is stopped while it starts", () => {
  test("is never run when it was not yet, and is gone when the stop is over", async () => {
    const prepared = Promise.withResolvers<void>();
    const instance = make("task-1", lives, { beforeStart: () => prepared.promise });
    const starting = expect(instance.start()).rejects.toThrow("task-1 is being stopped");
    const stopping = instance.stop();
    prepared.resolve();
    await Promise.all([starting, stopping]);
    expect([instance.status, instance.pid, instance.startedAt]).toEqual(["stopped", undefined, undefined]);
  });

  test("gets no calls though it answers", async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<boolean>();
    const probe = () => {
      asked.resolve();
      return answer.promise;
    };
    const instance = make("task-1", stubborn, { probe });
    const starting = expect(instance.start()).rejects.toThrow("task-1 is being stopped");
    await asked.promise;
    const stopping = instance.stop();
    answer.resolve(true);
    await Promise.all([starting, stopping]);
    expect(seen).not.toContain("task-1 up");
    expect([instance.status, instance.pid]).toEqual(["stopped", undefined]);
  });
});

describe("a supervisor", () => {
  const order = {
    after: (unit: string) => (unit === "task" ? (["postgres"] as const) : []),
    outlivedBy: (unit: string) => (unit === "task" ? (["postgres", "envoy"] as const) : []),
  };

  test("starts what is needed first, and stops it last", async () => {
    const supervisor = new Supervisor(order);
    supervisor.add("task", make("task-1"));
    supervisor.add("postgres", make("postgres"));
    supervisor.add("envoy", make("envoy"));
    await supervisor.start(["task", "envoy", "postgres"], async () => {});
    expect(seen.indexOf("postgres up")).toBeLessThan(seen.indexOf("task-1 starting"));
    await supervisor.stop();
    expect(seen.indexOf("task-1 stopped")).toBeLessThan(seen.indexOf("postgres stopping"));
    expect(seen.indexOf("task-1 stopped")).toBeLessThan(seen.indexOf("envoy stopping"));
  });

  test("does what is due between two units before it starts the next", async () => {
    const supervisor = new Supervisor(order);
    supervisor.add("postgres", make("postgres"));
    supervisor.add("task", make("task-1"));
    await supervisor.start(["postgres", "task"], async (unit) => {
      if (unit === "postgres") seen.push("databases made");
    });
    expect(seen.indexOf("databases made")).toBeLessThan(seen.indexOf("task-1 starting"));
  });

  test("starts nothing that comes while it stops", async () => {
    const supervisor = new Supervisor(order);
    await supervisor.stop();
    const late = make("task-1");
    supervisor.add("task", late);
    await expect(late.start()).rejects.toThrow("task-1 is being stopped");
    expect(late.pid).toBeUndefined();
  });

  test("rejects when one unit fails, and can still stop the others", async () => {
    const supervisor = new Supervisor(order);
    supervisor.add("envoy", make("envoy"));
    supervisor.add("postgres", make("postgres", "process.exit(1)"));
    await expect(supervisor.start(["envoy", "postgres"], async () => {})).rejects.toThrow(
      /postgres ended while starting/,
    );
    await supervisor.stop();
    expect(supervisor.instances.every((instance) => instance.pid === undefined)).toBe(true);
  });
});

describe("what a killed runner leaves behind", () => {
  test("is found by pid and start time and taken down; a pid that now belongs to another is left alone", async () => {
    // Nobody supervises it any more, so nobody brings it back.
    const orphan = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const orphansPid = orphan.pid as number;
    const stranger = make("user-1");
    await stranger.start();
    const left = { ...stateOf(stranger), name: "task-1", pid: orphansPid, startTime: await startTimeOf(orphansPid) };
    const state = {
      runner: { pid: 1, startTime: "0" },
      startedAt: "",
      profile: "light" as const,
      ports: {},
      instances: [left, { ...stateOf(stranger), startTime: "another time" }],
    };
    const strangersPid = stranger.pid;
    expect(await stopOrphans(state)).toEqual(["task-1"]);
    expect(await startTimeOf(orphansPid)).toBeUndefined();
    expect(stranger.pid).toBe(strangersPid);
  });
});

test("the log of a child holds what it wrote, over restarts", async () => {
  const instance = make("task-1", `console.log("hello"); ${lives}`);
  await instance.start();
  process.kill(instance.pid as number, "SIGKILL");
  await until(instance, "ready", 1);
  expect(await readFile(join(folder, "task-1.log"), "utf8")).toBe("hello\nhello\n");
});
