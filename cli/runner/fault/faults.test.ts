import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "../../../tests/_util/until.ts";
import { Instance } from "../instance.ts";
import { stopOrphans } from "../orphans.ts";
import { processTree } from "../process-tree.ts";
import type { RunningMesh } from "../running-mesh.ts";
import { stateOf } from "../status.ts";
import { Supervisor } from "../supervisor.ts";
import { Faults, faultsFile } from "./faults.ts";
import { Fronts } from "./fronts.ts";

/** A program with a child of its own, as PostgreSQL has; both end with SIGTERM. */
const parent = `
  const { spawn } = require("node:child_process");
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  process.on("SIGTERM", () => { child.kill(); process.exit(0); });
  child.once("spawn", () => require("node:fs").writeFileSync(process.env.READY, "1"));`;

let folder: string;
let supervisor: Supervisor;
let instance: Instance;
let stop: AbortController;
let said: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-fault-"));
  supervisor = new Supervisor({ after: () => [], outlivedBy: () => [] });
  [stop, said] = [new AbortController(), []];
  const ready = join(folder, "ready");
  const spec = {
    name: "task-1",
    command: process.execPath,
    args: ["-e", parent],
    env: { READY: ready },
    logFile: join(folder, "task-1.log"),
    stopSignal: "SIGTERM" as const,
    // Never reached: who is halted has to go on by itself.
    stopGrace: 60_000,
    startTimeout: 20_000,
    beforeStart: () => rm(ready, { force: true }),
    probe: () =>
      access(ready).then(
        () => true,
        () => false,
      ),
  };
  const events = {
    changed: () => {},
    up: async () => {},
    down: async () => {},
    say: (line: string) => void said.push(line),
  };
  instance = new Instance(spec, {}, events);
  supervisor.add("task", instance);
  await instance.start();
});
afterEach(async () => {
  stop.abort();
  await supervisor.stop();
  await rm(folder, { recursive: true, force: true });
});

function faults(changes: Partial<RunningMesh> = {}): Faults {
  return new Faults({
    supervisor,
    home: { folder },
    plan: { fronts: undefined },
    settings: { publicPorts: {} },
    signal: stop.signal,
    say: (line: string) => void said.push(line),
    ...changes,
  } as unknown as RunningMesh);
}

/** The states of the program and its child, as the kernel says: S sleeps, T is halted; g for one that is gone. */
async function states(pids: readonly number[]): Promise<string> {
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => ") gone")));
  // One that has ended may wait for somebody to look.
  return lines.map((line) => line.slice(line.lastIndexOf(")") + 2)[0]?.replace(/[ZX]/, "g")).join("");
}

describe.runIf(process.platform === "linux")("pause", () => {
  it("halts a program and what it has started, until its time is over", async () => {
    const tree = await processTree(instance.pid as number);
    expect(tree).toHaveLength(2);
    await faults().begin({ kind: "pause", target: "task" }, 300);
    await until("both to be halted", async () => (await states(tree)) === "TT", { everyMs: 10 });
    await until("both to go on", async () => !(await states(tree)).includes("T"), { everyMs: 10 });
    expect(instance.restarts).toBe(0);
  });

  it("ends when the mesh stops, which then waits for nobody", async () => {
    const tree = await processTree(instance.pid as number);
    await faults().begin({ kind: "pause", target: "task-1" }, 600_000);
    await until("both to be halted", async () => (await states(tree)) === "TT", { everyMs: 10 });
    stop.abort();
    await supervisor.stop();
    await until("both to be gone", async () => (await states(tree)) === "gg", { everyMs: 10 });
  });

  it("of a supervisor that was killed keeps the next one from nothing", async () => {
    const tree = await processTree(instance.pid as number);
    await faults().begin({ kind: "pause", target: "task-1" }, 600_000);
    const runner = { pid: process.pid, startTime: "another" };
    const state = { runner, startedAt: "", profile: "light" as const, ports: {}, instances: [stateOf(instance)] };
    expect(await stopOrphans(state)).toEqual(["task-1"]);
    await instance.stop();
    await until("both to be gone", async () => (await states(tree)) === "gg", { everyMs: 10 });
  });
});

describe("kill", () => {
  it("without a time: it is started again as after any other end", async () => {
    const first = instance.pid;
    await faults().begin({ kind: "kill", target: "task-1" });
    await until("another process", () => instance.status === "ready" && instance.pid !== first, { everyMs: 10 });
  });

  it("with a time: it stays away that long, and comes back when it is healed before", async () => {
    const brought = faults();
    const { id } = await brought.begin({ kind: "kill", target: "task-1" }, 600_000);
    await until("it to be away", () => instance.status === "restarting", { everyMs: 10 });
    // Longer than the supervisor would have waited.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(instance.pid).toBeUndefined();
    expect(brought.list.active.map(({ text }) => text)).toEqual(["kill task-1"]);
    await brought.heal(id);
    await until("it to be back", () => instance.status === "ready", { everyMs: 10 });
    expect(brought.list.active).toEqual([]);
  });
});

describe("what cannot be done", () => {
  const never = { kind: "pause", target: "task-1" } as const;

  it.each([
    [
      "a target that is not there",
      { kind: "kill", target: "nobody" },
      undefined,
      /There is no "nobody": take one of task, task-1/,
    ],
    [
      "a part of somebody else's",
      { kind: "kill", target: "redis" },
      undefined,
      /There is no "redis" that this mesh runs itself/,
    ],
    ["more than ten minutes", never, 600_001, /at most 10 minutes/],
    ["no time at all", never, 0, /more than 0/],
    [
      "connections, in a mesh that was not started for it",
      { kind: "cut", target: "task", how: "refuse" },
      1,
      /mesh up --faults/,
    ],
    [
      "calls, in such a mesh",
      { kind: "rpc", target: "task.v1.TaskService/GetTask", percent: 1 },
      1,
      /mesh up --faults/,
    ],
  ] as const)("%s is refused with one line", async (_, fault, forMs, line) => {
    await expect(faults().begin(fault, forMs)).rejects.toThrow(line);
  });

  it("nothing is broken any more while the mesh stops", async () => {
    stop.abort();
    await expect(faults().begin(never)).rejects.toThrow("stopping");
  });
});

describe("a mesh that was started for faults", () => {
  const plan = { fronts: new Fronts({} as never) } as RunningMesh["plan"];
  const told = async () => JSON.parse(await readFile(faultsFile(folder), "utf8"));

  it("tells the consumers by a file, and takes it back", async () => {
    const brought = faults({ plan });
    expect(await told()).toEqual({});
    await brought.begin({ kind: "consumer", target: "email", failShare: 0.2 }, 600_000);
    expect(await told()).toEqual({ email: { failShare: 0.2, delayMs: 0 } });
    expect(await brought.healAll()).toBe(1);
    expect(await told()).toEqual({});
    await expect(brought.begin({ kind: "consumer", target: "nobody" })).rejects.toThrow("take one of notification");
  });

  it("knows the RPCs, and who has no connections to be cut", async () => {
    const brought = faults({ plan });
    const unknown = { kind: "rpc", target: "task.v1.TaskService/Nothing", percent: 1 } as const;
    await expect(brought.begin(unknown)).rejects.toThrow("There is no RPC");
    await expect(brought.begin({ kind: "cut", target: "task-1", how: "refuse" })).rejects.toThrow(
      "Nobody connects to task-1",
    );
  });
});
