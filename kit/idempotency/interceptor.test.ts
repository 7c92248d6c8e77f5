import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import {
  CompleteTaskRequestSchema,
  CreateLabelRequestSchema,
  CreateTaskRequestSchema,
  DeleteTaskRequestSchema,
  TaskService,
} from "#gen/task/v1/task_service_pb.js";
import type { Database, EntityManager } from "#kit/db/database.ts";
import { Code } from "#kit/errors.ts";
import { ServerCall } from "#kit/grpc/server-call.ts";
import type { StoredAnswer, UserKey } from "./answers.ts";
import { idempotency } from "./interceptor.ts";

const { createTask, createLabel, getTask } = TaskService.method;
const answers = new Map<string, StoredAnswer>();
const held = new Set<string>();
const idOf = ({ userId, key }: UserKey) => `${userId} ${key}`;
const store = {
  takeKey: async (_: EntityManager, owned: UserKey) => !held.has(idOf(owned)),
  findAnswer: async (_: EntityManager, owned: UserKey) => answers.get(idOf(owned)),
  storeAnswer: async (_: EntityManager, owned: UserKey, answer: StoredAnswer) => {
    if (answers.has(idOf(owned))) return false;
    answers.set(idOf(owned), answer);
    return true;
  },
};
const asOne = vi.fn((fn: (em: EntityManager) => Promise<unknown>) => fn({} as EntityManager));
const handler = vi.fn(async (): Promise<Buffer | undefined> => Buffer.from("answer"));
const { wrap } = idempotency({ asOne: asOne as unknown as Database["asOne"] }, store);

beforeEach(() => {
  answers.clear();
  held.clear();
  asOne.mockClear();
  handler.mockReset().mockImplementation(async () => Buffer.from(`answer ${handler.mock.calls.length}`));
});

const task = (title: string) => create(CreateTaskRequestSchema, { task: { title } });
const withKey = { "idempotency-key": "k" };

interface Situation {
  method?: DescMethod;
  request?: Message;
  headers?: Record<string, string>;
  userId?: string;
}

function callOf({ method = createTask, headers = withKey, userId = "u" }: Situation): ServerCall {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const call = new ServerCall(method, metadata, Number.POSITIVE_INFINITY);
  call.caller = { kind: "user", userId, sessionId: "s" };
  return call;
}

async function ask(situation: Situation = {}) {
  const call = callOf(situation);
  const bytes = await wrap(handler)(call, situation.request ?? task("a"));
  return { text: String(bytes), replayed: call.responseHeaders?.get("idempotency-replayed")[0] === "true" };
}

describe("a call with a key", () => {
  test("is answered as the first one was", async () => {
    expect(await ask()).toEqual({ text: "answer 1", replayed: false });
    expect(await ask()).toEqual({ text: "answer 1", replayed: true });
    expect(handler).toHaveBeenCalledTimes(1);
  });

  test.each<[string, Situation]>([
    ["another message", { request: task("b") }],
    ["another method", { method: createLabel, request: create(CreateLabelRequestSchema, { name: "a" }) }],
    ["another If-Match", { headers: { ...withKey, "if-match": '"v1"' } }],
  ])("is refused when the key stands for %s", async (_, situation) => {
    await ask();
    await expect(ask(situation)).rejects.toMatchObject({
      code: Code.FAILED_PRECONDITION,
      reason: ErrorReason.IDEMPOTENCY_KEY_REUSED,
    });
    expect(handler).toHaveBeenCalledTimes(1);
  });

  test("tells methods apart whose messages look the same on the wire", async () => {
    const { completeTask, deleteTask } = TaskService.method;
    await ask({ method: completeTask, request: create(CompleteTaskRequestSchema, { taskId: "t" }) });
    const other = ask({ method: deleteTask, request: create(DeleteTaskRequestSchema, { taskId: "t" }) });
    await expect(other).rejects.toMatchObject({ reason: ErrorReason.IDEMPOTENCY_KEY_REUSED });
  });

  test("says when to come back while the first one runs", async () => {
    held.add("u k");
    await expect(ask()).rejects.toMatchObject({
      code: Code.ABORTED,
      reason: ErrorReason.IDEMPOTENCY_KEY_IN_FLIGHT,
      retryAfterMs: expect.any(Number),
    });
    expect(handler).not.toHaveBeenCalled();
  });

  test("is nobody else's", async () => {
    await ask();
    expect(await ask({ userId: "v", request: task("b") })).toEqual({ text: "answer 2", replayed: false });
  });

  test("that fails is not remembered", async () => {
    handler.mockRejectedValueOnce(new Error("fault"));
    await expect(ask()).rejects.toThrow("fault");
    expect(answers.size).toBe(0);
    expect(await ask()).toMatchObject({ replayed: false });
  });

  test("fails when somebody else has stored an answer meanwhile", async () => {
    handler.mockImplementationOnce(async () => {
      answers.set("u k", { requestHash: Buffer.alloc(0), response: Buffer.alloc(0) });
      return Buffer.from("late");
    });
    await expect(ask()).rejects.toMatchObject({ reason: ErrorReason.IDEMPOTENCY_KEY_IN_FLIGHT });
  });
});

test.each(["", "a b", " ", "ü", "a".repeat(256), "\t"])("%j is no key", async (key) => {
  const call = callOf({});
  vi.spyOn(call, "header").mockReturnValue(key);
  expect(() => wrap(handler)(call, task("a"))).toThrow(
    expect.objectContaining({
      code: Code.INVALID_ARGUMENT,
      fieldViolations: [expect.objectContaining({ field: "idempotency_key" })],
    }),
  );
});

test.each(["a", "a".repeat(255), '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "!~"])("%s is a key", async (key) => {
  expect(await ask({ headers: { "idempotency-key": key } })).toMatchObject({ replayed: false });
  expect([...answers.keys()]).toEqual([`u ${key}`]);
});

test.each<[string, Situation]>([
  ["without a key", { headers: {} }],
  ["of a method that takes none", { method: getTask }],
])("a call %s goes straight through", async (_, situation) => {
  expect(await ask(situation)).toEqual({ text: "answer 1", replayed: false });
  expect(await ask(situation)).toEqual({ text: "answer 2", replayed: false });
  expect(asOne).not.toHaveBeenCalled();
});
