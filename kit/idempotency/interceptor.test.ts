import { createHmac } from "node:crypto";
import { create, type DescMethod, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
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
import { type OwnedKey, ownerId, type StoredAnswer } from "./answers.ts";
import { idempotency } from "./interceptor.ts";

const { createTask, createLabel, getTask } = TaskService.method;
const answers = new Map<string, StoredAnswer>();
const held = new Set<string>();
const idOf = ({ scope, key }: OwnedKey) => `${scope} ${key}`;
const store = {
  takeKey: async (_: EntityManager, owned: OwnedKey) => !held.has(idOf(owned)),
  findAnswer: async (_: EntityManager, owned: OwnedKey) => answers.get(idOf(owned)),
  storeAnswer: async (_: EntityManager, owned: OwnedKey, answer: StoredAnswer) => {
    if (answers.has(idOf(owned))) return false;
    answers.set(idOf(owned), answer);
    return true;
  },
};
const asOne = vi.fn((fn: (em: EntityManager) => Promise<unknown>) => fn({} as EntityManager));
const handler = vi.fn(async (): Promise<Buffer | undefined> => Buffer.from("answer"));
const database = { asOne: asOne as unknown as Database["asOne"] };
const { wrap } = idempotency(database, { store });

beforeEach(() => {
  answers.clear();
  held.clear();
  asOne.mockClear();
  handler.mockReset().mockImplementation(async () => Buffer.from(`answer ${handler.mock.calls.length}`));
});

const task = (title: string) => create(CreateTaskRequestSchema, { task: { title } });
const withKey = { "idempotency-key": "k" };
/** Field 1000, a varint. */
const newField = Buffer.from([0xc0, 0x3e, 1]);
const bytesOf = (request: ReturnType<typeof task>) => toBinary(CreateTaskRequestSchema, request);

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
    ["another If-None-Match", { headers: { ...withKey, "if-none-match": "*" } }],
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

  test("is the same call for a client of a later release, whose new fields are not known here", async () => {
    await ask({ request: fromBinary(CreateTaskRequestSchema, Buffer.concat([bytesOf(task("a")), newField])) });
    expect(await ask({ request: task("a") })).toEqual({ text: "answer 1", replayed: true });
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

  test("has the same key by the field of its request as by the header", async () => {
    const id = "01a1fde8-7b7d-75f0-b81c-fd2dd3a43aa6";
    const byField = (title: string) => create(CreateTaskRequestSchema, { task: { title }, requestId: id });
    expect(await ask({ headers: {}, request: byField("a") })).toEqual({ text: "answer 1", replayed: false });
    expect(await ask({ headers: { "idempotency-key": id } })).toEqual({ text: "answer 1", replayed: true });
    const both = byField("a");
    expect(await ask({ headers: { "idempotency-key": id }, request: both })).toMatchObject({ replayed: true });
    expect(both.requestId).toBe(id);
    await expect(ask({ headers: {}, request: byField("b") })).rejects.toMatchObject({
      reason: ErrorReason.IDEMPOTENCY_KEY_REUSED,
    });
    expect(() => wrap(handler)(callOf({}), byField("a"))).toThrow(
      expect.objectContaining({
        code: Code.INVALID_ARGUMENT,
        fieldViolations: [expect.objectContaining({ field: "request_id" })],
      }),
    );
  });

  test("is kept as the sealer has it, and belongs to the scope that it is given", async () => {
    const mask = (bytes: Buffer, hash: Buffer) => bytes.map((byte, i) => byte ^ (hash[i % hash.length] as number));
    const sealer = {
      hash: (request: Buffer) => createHmac("sha256", "secret").update(request).digest(),
      seal: (answer: Buffer, hash: Buffer) => Buffer.from(mask(answer, hash)),
      unseal: (sealed: Buffer, hash: Buffer) => Buffer.from(mask(sealed, hash)),
    };
    const sealed = idempotency(database, { store, sealer, scopeOf: ({ method }) => `anybody at ${method.name}` });
    const call = () => sealed.wrap(handler)(callOf({}), task("a"));
    expect(String(await call())).toBe("answer 1");
    const [owner, kept] = [...answers][0] ?? [];
    expect(owner).toBe("anybody at CreateTask k");
    expect(String(kept?.response)).not.toContain("answer");
    expect(String(await call())).toBe("answer 1");
    expect(handler).toHaveBeenCalledTimes(1);
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

test("a scope is kept as a UUID: a user's id as it is, anything else as one that no user has", () => {
  const userId = "01a1fde8-7b7d-75f0-b81c-fd2dd3a43aa6";
  expect(ownerId(userId)).toBe(userId);
  expect(ownerId("anybody")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(ownerId("anybody")).toBe(ownerId("anybody"));
  expect(ownerId("anybody")).not.toBe(ownerId("anybody else"));
});
