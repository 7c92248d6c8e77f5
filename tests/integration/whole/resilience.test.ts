import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { testIssuer } from "#kit/auth/testing.ts";
import { service, startGrpcServer } from "#kit/grpc/server.ts";
import type { CallContext, ServiceImpl } from "#kit/grpc/service.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { until } from "../../_util/until.ts";
import { type Reply, rest } from "./calls.ts";
import { type Person, type Stack, startStack } from "./stack.ts";

// Each process takes 20 calls at a time: of imports 10, with reads 16, with changes 18.
const env = { OVERLOAD_SHED: "true", OVERLOAD_MIN_CALLS: "20", OVERLOAD_MAX_CALLS: "20" };

let stack: Stack;
let ada: Person;
let taskId: string;
const lifecycle = new Lifecycle();
beforeAll(async () => {
  stack = await startStack({ env });
  ada = await stack.person();
  taskId = (await ask("POST /v1/tasks", { title: "shared" })).body.taskId;
});
afterAll(async () => {
  await stack.close();
  await lifecycle.stop();
});

const ask = (call: string, body?: unknown, headers = {}): Promise<Reply> => rest(stack, ada, call, { body, headers });
/** It has three hops: the gateway, the task service, and the user service for the names. */
const askThreeHops = (headers = {}) => ask(`GET /v1/tasks/${taskId}/collaborators`, undefined, headers);

describe("[mesh.18] a mesh in trouble", () => {
  const content = Buffer.from("TYPE,CONTENT,PRIORITY\ntask,Buy milk,1\n").toString("base64");
  const importTasks = () =>
    ask("POST /v1/tasks:import", { format: "FORMAT_TODOIST_CSV", content, timeZone: "UTC", dryRun: true });

  it("sheds what may wait, says when to come back, and takes what people wait for; then all of it again", async () => {
    const imports: Reply[] = [];
    const interactive: Reply[] = [];
    for (let round = 0; round < 3; round++) {
      const calls = Array.from({ length: 30 }, importTasks);
      const others = [ask("POST /v1/tasks", { title: "while it is busy" }), ask(`GET /v1/tasks/${taskId}`)];
      imports.push(...(await Promise.all(calls)));
      interactive.push(...(await Promise.all(others)));
    }
    expect(interactive.filter(({ status }) => status !== 200)).toEqual([]);
    expect(imports.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    const shed = imports.filter((reply) => reply.status !== 200);
    expect(shed.length).toBeGreaterThan(0);
    for (const { status, body, headers } of shed) {
      expect({ status, code: body.code, reason: body.reason, retryAfter: headers.get("retry-after") }).toEqual({
        status: 429,
        code: "RESOURCE_EXHAUSTED",
        reason: "OVERLOADED",
        retryAfter: "1",
      });
    }
    // Envoy forgets within a second or two what it has learnt of the crowd.
    let inARow = 0;
    const isWell = async () => {
      inARow = (await importTasks()).status === 200 ? inARow + 1 : 0;
      return inARow;
    };
    await expect.poll(isWell, { timeout: 30_000 }).toBe(5);
  });

  it("tells each hop how much time is left, and that it has been tried as often as it may be", async () => {
    const user = await play("user");
    await stack.setEndpoints("user", [user]);
    expect((await askThreeHops({ prefer: "wait=1" })).status).toBe(200);
    const [seen, ...others] = user.calls;
    expect(others).toEqual([]);
    expect(seen?.retriesLeft).toBe("0");
    expect(seen?.leftMs).toBeGreaterThan(0);
    expect(seen?.leftMs).toBeLessThanOrEqual(1_000);
  });

  it("has a read that nobody answers made by a second instance too, and takes what comes first; no change", async () => {
    const instances = [await play("task", { hangs: true }), await play("task", { hangs: true })];
    await stack.setEndpoints("task", instances);
    const change = ask("POST /v1/tasks", { title: "once" });
    const read = ask(`GET /v1/tasks/${taskId}`);
    const attempts = (name: string) =>
      instances.map(({ calls }) => calls.filter((call) => call.name === name).map(({ attempt }) => attempt));
    await until("a second try beside the first", () => attempts("GetTask").flat().length === 2);
    expect(attempts("GetTask").flat().sort()).toEqual(["1", "2"]);
    expect(attempts("CreateTask").flat()).toEqual(["1"]);
    // The first one was slow, and is answered for all that there is a second one.
    instances[attempts("GetTask").findIndex(([attempt]) => attempt === "1")]?.answer();
    expect((await read).status).toBe(200);
    for (const { answer } of instances) answer();
    await change;
    expect(attempts("CreateTask").flat()).toEqual(["1"]);
    await stack.setEndpoints("task", [stack.endpoints.task]);
  });

  it("waits no more for an RPC that hangs everywhere, until it answers again", async () => {
    const user = await play("user", { hangs: true });
    await stack.setEndpoints("user", [user]);
    const refused = await until("a call to be refused", async () => {
      await Promise.all(Array.from({ length: 7 }, () => askThreeHops()));
      const before = user.calls.length;
      const reply = await askThreeHops();
      return user.calls.length === before && reply;
    });
    expect({ status: refused.status, retryAfter: refused.headers.get("retry-after") }).toEqual({
      status: 503,
      retryAfter: "1",
    });
    user.answer();
    await until("an answer", async () => (await askThreeHops()).status === 200);
  });
});

/** An instance that the test plays. */
interface Instance {
  host: string;
  port: number;
  calls: { name: string; attempt: string | undefined; leftMs: number; retriesLeft: string | undefined }[];
  /** From now on. */
  answer(): void;
}

async function play(name: "task" | "user", { hangs = false } = {}): Promise<Instance> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (!hangs) resolve();
  const calls: Instance["calls"] = [];
  const seen = async (call: CallContext) => {
    const leftMs = Number(call.deadline) - Date.now();
    const [attempt, retriesLeft] = [call.header("x-envoy-attempt-count"), call.header("x-mesh-retries-left")];
    calls.push({ name: call.method.name, attempt, leftMs, retriesLeft });
    await promise;
  };
  const users: Partial<ServiceImpl<typeof UserService>> = {
    batchGetUsers: async (_request, call) => {
      await seen(call);
      return { users: [] };
    },
  };
  const tasks: Partial<ServiceImpl<typeof TaskService>> = {
    getTask: async (_request, call) => {
      await seen(call);
      return { task: { taskId } };
    },
    createTask: async (_request, call) => {
      await seen(call);
      return { task: { taskId } };
    },
  };
  const entry =
    name === "user"
      ? service(UserService, users as ServiceImpl<typeof UserService>)
      : service(TaskService, tasks as ServiceImpl<typeof TaskService>);
  const { port } = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    services: [entry],
    identity: await stack.identity(name),
    tokens: testIssuer().verifier(),
    lifecycle,
    // It knows nobody, and asks nobody who somebody is.
    interceptors: (standard) => standard.filter(({ name }) => name !== "authorize"),
  });
  return { host: "127.0.0.1", port, calls, answer: resolve };
}
