import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { afterEach, describe, expect, it } from "vitest";
import { NotificationService } from "../../../proto/gen/notification/v1/notification_service_pb.js";
import { TaskService } from "../../../proto/gen/task/v1/task_service_pb.js";
import { Taskmesh, type TaskmeshOptions } from "./client.ts";
import { askedWaitMs, fieldViolationsOf, reasonOf } from "./errors.ts";
import { waitBefore } from "./retry.ts";
import { failure, startServer, type TestServer, tokens } from "./testing.ts";

let server: TestServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** A mesh whose calls fail as listed, one after the other, and succeed from then on. */
async function start(failures: unknown[], options: Partial<TaskmeshOptions> = {}) {
  const left = [...failures];
  const answer = async (_request: unknown, { signal }: HandlerContext) => {
    const next = left.shift();
    if (next === "hang") await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    else if (next !== undefined) throw next;
    return {};
  };
  server = await startServer(({ service }) => {
    service(TaskService, { listTasks: answer, createTask: answer });
    service(NotificationService, { markRead: answer });
  });
  return new Taskmesh({ baseUrl: server.url, tokens: tokens(1), ...options });
}

const calls = () => server?.arrivals.length;
const away = () => failure(Code.Unavailable, "UNAVAILABLE", 1);

describe("a call that is safe to repeat", () => {
  it.each([
    ["away", away()],
    ["away, and a proxy says so", new ConnectError("no healthy upstream", Code.Unavailable, { "retry-after": "0" })],
    ["busy, and says until when", failure(Code.ResourceExhausted, "RATE_LIMITED", 1)],
    ["met by another write", failure(Code.Aborted, "CONFLICT")],
  ])("is repeated while the mesh is %s", async (_, error) => {
    const mesh = await start([error, error]);
    await mesh.tasks.listTasks({});
    expect(calls()).toBe(3);
  });

  it("is one that changes nothing, or that the proto file calls idempotent", async () => {
    const mesh = await start([away()]);
    await mesh.notifications.markRead({ notificationId: "1" });
    expect(calls()).toBe(2);
  });

  it("is not repeated more often than it should be", async () => {
    const mesh = await start(Array(9).fill(away()), { attempts: 3 });
    await expect(mesh.tasks.listTasks({})).rejects.toMatchObject({ code: Code.Unavailable });
    expect(calls()).toBe(3);
  });

  it.each([
    ["it would fail again", failure(Code.NotFound, "TASK_NOT_FOUND")],
    ["it is too large", failure(Code.ResourceExhausted, "MESSAGE_TOO_LARGE")],
    ["the state is another one", failure(Code.Aborted, "ETAG_MISMATCH")],
    ["its turn is too far away", failure(Code.ResourceExhausted, "RATE_LIMITED", 60_000)],
  ])("is not repeated when %s", async (_, error) => {
    const mesh = await start([error]);
    await expect(mesh.tasks.listTasks({})).rejects.toMatchObject({ code: error.code });
    expect(calls()).toBe(1);
  });

  it("is repeated when the server cannot be reached", async () => {
    const mesh = await start([]);
    const url = server?.url ?? "";
    await server?.close();
    server = undefined;
    let attempts = 0;
    const counting = new Taskmesh({
      baseUrl: url,
      attempts: 2,
      fetch: (...args) => {
        attempts++;
        return fetch(...args);
      },
    });
    await expect(counting.tasks.listTasks({})).rejects.toMatchObject({ code: Code.Unavailable });
    expect(attempts).toBe(2);
    expect(mesh.tokens).toBeDefined();
  });

  it("is repeated when the connection breaks before its answer is there", async () => {
    const mesh = await start(["hang"]);
    const call = mesh.tasks.listTasks({});
    await expect.poll(calls).toBe(1);
    server?.cut();
    await call;
    expect(calls()).toBe(2);
  });
});

describe("a write", () => {
  const keys = () => server?.arrivals.map(({ headers }) => headers["idempotency-key"]);

  it("carries a key of its own, and is not repeated where that is not wanted", async () => {
    const mesh = await start([away()], { idempotentWrites: false });
    await expect(mesh.tasks.createTask({})).rejects.toMatchObject({ code: Code.Unavailable });
    await mesh.tasks.createTask({});
    const [first, second] = keys() ?? [];
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(second).not.toBe(first);
  });

  it("is repeated under the same key", async () => {
    const mesh = await start([away(), failure(Code.Aborted, "IDEMPOTENCY_KEY_IN_FLIGHT", 1)]);
    await mesh.tasks.createTask({});
    expect(keys()).toHaveLength(3);
    expect(new Set(keys()).size).toBe(1);
  });

  it("keeps the key that it is given", async () => {
    const mesh = await start([]);
    await mesh.tasks.createTask({}, { headers: { "idempotency-key": "mine" } });
    expect(keys()).toEqual(["mine"]);
  });

  it("keeps the key that its request has", async () => {
    const mesh = await start([away()]);
    await mesh.tasks.createTask({ requestId: "01a1fde8-7b7d-75f0-b81c-fd2dd3a43aa6" });
    expect(keys()).toEqual([undefined, undefined]);
  });

  it("carries none when the call takes none", async () => {
    const mesh = await start([]);
    await mesh.tasks.listTasks({});
    expect(keys()).toEqual([undefined]);
  });
});

describe("time and patience", () => {
  it("ends a call that takes longer than it may", async () => {
    const told: (string | null)[] = [];
    const noting: typeof fetch = (input, init) => {
      told.push(new Headers(init?.headers).get("connect-timeout-ms"));
      return fetch(input, init);
    };
    const mesh = await start(["hang", "hang"], { timeoutMs: 50, fetch: noting });
    await expect(mesh.tasks.listTasks({})).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    await expect(mesh.tasks.listTasks({}, { timeoutMs: 40 })).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    expect(told).toEqual(["50", "40"]);
  });

  it("tells every attempt how much of the time is left", async () => {
    const mesh = await start([away(), away()], { timeoutMs: 10_000 });
    await mesh.tasks.listTasks({});
    const told = server?.arrivals.map(({ headers }) => Number(headers["connect-timeout-ms"])) ?? [];
    expect(told[0]).toBe(10_000);
    expect(told[1]).toBeLessThan(10_000);
    expect(told[2]).toBeLessThan(told[1] as number);
  });

  it("fails at once rather than wait beyond its time", async () => {
    const mesh = await start([failure(Code.Unavailable, "UNAVAILABLE", 20_000)], { timeoutMs: 5000 });
    await expect(mesh.tasks.listTasks({})).rejects.toMatchObject({ code: Code.Unavailable });
    expect(calls()).toBe(1);
  });

  it("stops waiting when it is told to", async () => {
    const mesh = await start([failure(Code.Unavailable, "UNAVAILABLE", 20_000)]);
    const leaver = new AbortController();
    const call = mesh.tasks.listTasks({}, { signal: leaver.signal });
    await expect.poll(calls).toBe(1);
    leaver.abort();
    await expect(call).rejects.toMatchObject({ code: Code.Canceled });
    expect(calls()).toBe(1);
  });

  it("waits as long as it is asked to, and longer each time when it is not", () => {
    const options = { attempts: 9, maxWaitMs: 30_000, isSafe: () => true };
    const asked = waitBefore(1, failure(Code.Unavailable, "UNAVAILABLE", 1500), options);
    expect(asked).toBeGreaterThanOrEqual(1500);
    expect(asked).toBeLessThan(1600);
    for (const [failures, most] of [
      [1, 200],
      [2, 400],
      [3, 800],
      [8, 5000],
    ] as const) {
      const waitMs = waitBefore(failures, failure(Code.Unavailable, "UNAVAILABLE"), options);
      expect(waitMs).toBeGreaterThanOrEqual(most / 2);
      expect(waitMs).toBeLessThanOrEqual(most);
    }
  });
});

describe("what an error says", () => {
  it("is its reason, its fields and when to come back", async () => {
    const mesh = await start([failure(Code.NotFound, "TASK_NOT_FOUND")]);
    const error = await mesh.tasks.listTasks({}).catch((caught: unknown) => caught);
    expect(reasonOf(error)).toBe("TASK_NOT_FOUND");
    expect(fieldViolationsOf(error)).toEqual([]);
    expect(reasonOf(new Error("anything"))).toBeUndefined();
  });

  it.each([
    ["7", 7000],
    [new Date(Date.now() - 1000).toUTCString(), 0],
    ["soon", undefined],
  ])("is a Retry-After of %s", (header, ms) => {
    expect(askedWaitMs(new ConnectError("busy", Code.Unavailable, { "retry-after": header }))).toBe(ms);
  });
});
