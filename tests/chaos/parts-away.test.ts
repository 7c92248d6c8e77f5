import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FaultList } from "../../cli/runner/fault/fault.ts";
import { schedule } from "../../cli/runner/fault/schedule.ts";
import { until } from "../_util/until.ts";
import { inboxOf } from "./away/inbox.ts";
import { play } from "./away/scenarios.ts";
import { Stage } from "./away/stage.ts";

const size = { seconds: 4, rps: 30 };
/** Where each of several faults has its turn. */
const brief = { seconds: 2, rps: 10 };
/** A machine that others keep busy lets calls fail of itself; a bug fails each of the tries. */
const tries = { retry: 2 };
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage?.close());

// With what follows, which kills, halts, cuts and slows the parts.
describe("`mesh fault` [mesh.07]", () => {
  const fault = async (...args: string[]) => JSON.parse(await stage.mesh.cli("fault", ...args, "--json"));

  it("has calls of one RPC answered with an error, and no others", async () => {
    const [ann] = await stage.people("Ann");
    const create = () => ann.call("POST /v1/tasks", { title: "a task" });
    const rpc = await fault(
      "rpc",
      "task.v1.TaskService/CreateTask",
      "--abort",
      "503",
      "--percent",
      "100",
      "--for",
      "5m",
    );
    const refused = await create();
    expect(refused).toMatchObject({ status: 503, body: { reason: "UNAVAILABLE" } });
    expect(refused.headers.get("retry-after")).toBe("1");
    expect((await ann.call("GET /v1/tasks")).status).toBe(200);
    expect(await fault("list")).toMatchObject({ enabled: true, active: [{ id: rpc.id, fault: { kind: "rpc" } }] });
    expect(await fault("heal", String(rpc.id))).toEqual({ healed: 1 });
    expect((await create()).status).toBe(200);
  });

  it("has a consumer group fail, whose events are tried again", async () => {
    const [ann, bob] = await stage.people("Ann", "Bob");
    const retries = () =>
      stage.metric("consumers", "taskmesh_event_retries_total", { messaging_consumer_group_name: "notification" });
    const before = await retries();
    await fault("consumer", "notification", "--fail", "100%", "--for", "5m");
    const taskIds: string[] = [];
    // Consumers look for faults five times a second.
    await until("a try to fail", async () => {
      taskIds.push((await ann.ask("POST /v1/tasks", { title: "a task", assigneeIds: [bob.userId] })).taskId);
      return (await retries()) > before;
    });
    await fault("heal");
    const told = async () => (await inboxOf(bob)).toSorted().join();
    await until("all of them to succeed", async () => (await told()) === taskIds.toSorted().join(), {
      timeoutMs: 90_000,
    });
  });

  it("plays the schedule of a seed on everything that runs, and ends all of it", async () => {
    const played = await fault("schedule", "--seed", "7", "--for", "6s", "--every", "1500ms");
    const targets = (await stage.mesh.status()).instances.map(({ name }) => name);
    const wanted = schedule({ seed: 7, forMs: 6000, everyMs: 1500, kinds: played.kinds, targets });
    expect(played.steps).toMatchObject(JSON.parse(JSON.stringify(wanted)));
    expect(((await fault("list")) as FaultList).active).toEqual([]);
    for (const { name } of (await stage.mesh.status()).instances) await stage.untilReady(name);
  });
});

describe("under load, with a part away", () => {
  it(
    "Redis: killed, back empty, hanging: no call fails, limits and revocations hold, and streams go on",
    tries,
    async () => {
      expect((await play(stage, "R8", brief)).violations).toEqual([]);
    },
  );

  it(
    "PostgreSQL: killed, hanging, out of connections: every failure says when to come back, and each write is there once",
    tries,
    async () => {
      expect((await play(stage, "R10", brief)).violations).toEqual([]);
    },
  );

  it("Kafka: killed: no call fails, and everybody is told once", async () => {
    expect((await play(stage, "R9", size)).violations).toEqual([]);
  });

  it("Jaeger: refusing, hanging, slow, killed: no call fails, and lost spans are counted", async () => {
    expect((await play(stage, "R11", { ...size, seconds: 3 })).violations).toEqual([]);
  });

  it("one of two workers: the other takes its partitions, and nothing is lost or doubled [000.09]", async () => {
    expect((await play(stage, "worker", size)).violations).toEqual([]);
  });
});
