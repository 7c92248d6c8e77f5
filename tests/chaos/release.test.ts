import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LoadReport, runLoad } from "../../cli/load/run-load.ts";
import { askMesh } from "../../cli/runner/control.ts";
import { findHome } from "../../cli/runner/home.ts";
import type { ReleaseAsk, ReleaseState } from "../../cli/runner/release/releases.ts";
import { TestMesh } from "../_util/mesh.ts";
import { until } from "../_util/until.ts";

const rate = 60;
const mutant = (name: string) => ({
  NODE_OPTIONS: `--import ${new URL(`./mutants/${name}.ts`, import.meta.url).href}`,
});

describe("releases, while people are at work", () => {
  let mesh: TestMesh;

  beforeAll(async () => {
    mesh = await TestMesh.start({ env: { OTEL_TRACES_SAMPLER_ARG: "0" } });
  });
  afterAll(() => mesh?.stop());

  const ask = <T = ReleaseState>(request: ReleaseAsk) =>
    askMesh<T>(findHome(mesh.environment.MESH_HOME), { command: "release", ask: request });
  const names = async (unit: string) =>
    (await mesh.status()).instances.flatMap(({ name }) => (name.startsWith(unit) ? [name] : []));

  /** People at work from before until after what is done; answers with what they saw. */
  async function atWork(work: () => Promise<void>, { read = 60, verify = true } = {}): Promise<LoadReport> {
    const stop = new AbortController();
    const begun = Promise.withResolvers<void>();
    const load = runLoad({
      url: new URL(mesh.edge),
      phases: [{ rate, seconds: 300 }],
      mix: { read, write: 100 - read },
      users: 8,
      connections: 32,
      seed: 5,
      verify,
      signal: stop.signal,
      progress: (line) => {
        if (/^ *2 s/.test(line)) begun.resolve();
      },
    });
    await Promise.race([begun.promise, load]);
    try {
      await work();
    } finally {
      stop.abort();
    }
    return load;
  }

  const nothingLost = {
    failures: {},
    verification: { lostWrites: 0, lostNotifications: 0, doubledNotifications: 0, examples: [] },
  };

  it("`mesh load` takes the seeds' phases, checks every answer and every notification [mesh.08][004.18]", async () => {
    const output = await mesh.cli(
      "load",
      "--phases",
      "2s@30,4s@60",
      "--users",
      "6",
      "--mix",
      "read=60,write=40",
      "--verify",
      "--json",
    );
    const report = JSON.parse(output) as LoadReport;
    expect(report).toMatchObject({ due: 300, right: 300, ...nothingLost });
    expect(report.verification?.notifications).toBeGreaterThan(10);
  });

  it("rolling: every process and Envoy, no call fails and nobody hears twice [002.13]", async () => {
    const before = (await mesh.status()).instances;
    const report = await atWork(async () => {
      const { status } = await ask({ kind: "rolling", services: [] });
      expect(status).toBe("done");
    });
    const after = (await mesh.status()).instances;
    const pids = new Set(before.map(({ pid }) => pid));
    const stayed = after.filter(({ pid }) => pids.has(pid)).map(({ name }) => name);
    expect(stayed.sort()).toEqual(["kafka", "mail", "postgres", "redis"]);
    expect(after.every(({ status, restarts }) => status === "ready" && restarts === 0)).toBe(true);
    expect(report).toMatchObject(nothingLost);
  });

  it("blue-green: all at once, and back as fast when it is aborted [002.12]", async () => {
    const report = await atWork(async () => {
      const [before] = await names("task");
      await ask({ kind: "blue-green", service: "task", holdMs: 1000 });
      const [green] = await names("task");
      expect(green).not.toBe(before);
      const aborted = ask({ kind: "blue-green", service: "task", holdMs: 60_000 });
      aborted.catch(() => {});
      await until("the traffic to be with the new one", async () =>
        (await ask({ kind: "status" })).lines.some((line) => line.startsWith("all traffic goes to")),
      );
      await expect(mesh.scale("task", 2)).rejects.toThrow("A blue-green release of task is under way");
      expect((await ask({ kind: "abort" })).status).toBe("rolled back");
      await expect(aborted).rejects.toThrow("The release was rolled back: it was aborted");
      expect(await names("task")).toEqual([green]);
    });
    expect(report).toMatchObject(nothingLost);
  });

  it("canary: a good version is promoted step by step [002.14]", async () => {
    const report = await atWork(async () => {
      const budget = { stepMs: 2000, leastCalls: 10, maxP99Ms: 5000 };
      const { lines } = await ask({ kind: "canary", service: "task", steps: [20, 100], budget });
      expect(lines.filter((line) => /^at \d+ %: 0 of \d+ calls failed, 1 % may/.test(line))).toHaveLength(2);
    });
    expect(report).toMatchObject(nothingLost);
  });

  it("canary: a bad version goes back by itself, and hurts no more than its share [beyond.09]", async () => {
    const [good] = await names("task");
    const share = 20;
    const report = await atWork(
      async () => {
        const budget = { stepMs: 20_000, leastCalls: 10, maxP99Ms: 5000 };
        const bad = { steps: [share, 100], budget, env: mutant("fails-every-fifth-call") };
        await expect(ask({ kind: "canary", service: "task", ...bad })).rejects.toThrow(
          /^The release was rolled back: \d+ of \d+ calls failed, 1 % may$/,
        );
        expect(await names("task")).toEqual([good]);
      },
      { read: 90 },
    );
    expect(report.failed).toBeGreaterThanOrEqual(3);
    expect(report.failed / report.due).toBeLessThan(share / 100);
    expect(Object.keys(report.failures).every((kind) => kind.startsWith("500"))).toBe(true);
    expect(report.verification).toMatchObject({ lostWrites: 0, lostNotifications: 0, doubledNotifications: 0 });
    expect((await ask({ kind: "status" })).status).toBe("rolled back");
  });

  it("turns red when draining is left out: calls under way are lost", async () => {
    await ask({ kind: "rolling", services: ["task"], env: mutant("without-drain") });
    const report = await atWork(() => ask({ kind: "rolling", services: ["task"] }).then(() => {}), {
      read: 20,
      verify: false,
    });
    expect(report.failed).toBeGreaterThan(0);
  });

  it("a version that does not start changes nothing", async () => {
    const before = await names("user");
    const broken = { NODE_OPTIONS: "--import ./not/there.ts" };
    await expect(ask({ kind: "rolling", services: ["user"], env: broken })).rejects.toThrow(
      "The release was rolled back: user-",
    );
    expect(await names("user")).toEqual(before);
  });
});
