import { create, type DescMethodUnary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Health } from "#gen/grpc/health/v1/health_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code } from "../errors.ts";
import { shares } from "../overload/priority.ts";
import { createClient } from "./client.ts";
import { forwarder } from "./raw-client.ts";
import { service } from "./server.ts";
import type { CallContext } from "./service.ts";
import { bearer, startTestMesh, type TestMesh, TestService, testImpl } from "./testing.ts";

// A limit that stays: up to 5 calls of batch work, 8 with reads, 9 with changes, 10 in all.
const overload = { min: 10, max: 10, loopDelayMs: 1_000_000 };
const { batch, read, open, urgent } = TestService.method;

let mesh: TestMesh;
let underWay: { value: string; answer: () => void }[];
let arrived: (CallContext["priority"] | undefined)[];

beforeEach(async () => {
  underWay = [];
  arrived = [];
  const wait = ({ value }: { value: string }, call: CallContext) => {
    arrived.push(call.priority);
    const { promise, resolve } = Promise.withResolvers<{ value: string }>();
    underWay.push({ value, answer: () => resolve({ value }) });
    return promise;
  };
  const impl = testImpl({
    batch: wait,
    read: wait,
    open: wait,
    urgent: wait,
    echo: async ({ value }, call) => mesh.client(TestService, "task").read({ value }, { call }),
  });
  mesh = await startTestMesh([service(TestService, impl)], { overload });
});
afterEach(async () => {
  for (const { answer } of underWay) answer();
  await mesh.close();
});

/** As the gateway calls on behalf of somebody. */
function call(method: DescMethodUnary, value = ""): Promise<unknown> {
  const route = { channel: mesh.channel, identity: mesh.identities.gateway };
  return forwarder(route).forwardUnary(method, create(StringValueSchema, { value }));
}

/** So many calls, which stay under way. */
async function fill(method: DescMethodUnary, count: number): Promise<Promise<unknown>[]> {
  const before = underWay.length;
  const calls = Array.from({ length: count }, () => call(method));
  for (const each of calls) each.catch(() => {});
  await expect.poll(() => underWay.length, { timeout: 20_000 }).toBe(before + count);
  return calls;
}

const refused = { code: Code.RESOURCE_EXHAUSTED, reason: ErrorReason.OVERLOADED, retryAfterMs: 1_000 };

describe("a server with more calls than it takes", () => {
  it("refuses batch work first, then reads, then changes, then alerts, and says when to come back", async () => {
    await fill(batch, 5);
    await expect(call(batch)).rejects.toMatchObject(refused);
    await fill(read, 3);
    await expect(call(read)).rejects.toMatchObject(refused);
    await fill(open, 1);
    await expect(call(open)).rejects.toMatchObject(refused);
    await fill(urgent, 1);
    await expect(call(urgent)).rejects.toMatchObject(refused);
    expect(arrived).toHaveLength(10);
  });

  it("takes the others though what may wait would fill it", async () => {
    await fill(batch, 5);
    const refusals = await Promise.allSettled(Array.from({ length: 50 }, () => call(batch)));
    expect(refusals.filter(({ status }) => status === "fulfilled")).toEqual([]);
    const taken = [...(await fill(read, 3)), ...(await fill(open, 1)), ...(await fill(urgent, 1))];
    for (const { answer } of underWay) answer();
    await Promise.all(taken);
  });

  it("would refuse those who are in a hurry if the order were the other way round", async () => {
    const order = { ...shares };
    try {
      Object.assign(shares, { urgent: shares.background, background: shares.urgent });
      await fill(batch, 10);
      await expect(call(urgent)).rejects.toMatchObject(refused);
    } finally {
      Object.assign(shares, order);
    }
  });

  it("takes calls again as soon as others have ended", async () => {
    const [first] = await fill(batch, 5);
    await expect(call(batch)).rejects.toMatchObject(refused);
    underWay[0]?.answer();
    await first;
    await fill(batch, 1);
  });

  it("refuses to open a stream as it would a call, and counts none that is open", async () => {
    const watch = (value: string) => mesh.client(TestService).watch({ value }, { headers: bearer(mesh) });
    const streams = Array.from({ length: 20 }, () => watch("news")[Symbol.asyncIterator]());
    for (const stream of streams) await stream.next();
    for (const stream of streams) await stream.return?.(undefined);
    await fill(urgent, 10);
    await expect(Array.fromAsync(watch("news"))).rejects.toMatchObject(refused);
  });

  it("answers for its health all the same", async () => {
    await fill(urgent, 10);
    const health = createClient(Health, mesh.channel, { identity: mesh.identities.gateway });
    expect(await health.check({})).toMatchObject({ status: 1 });
  });

  it("takes a call on behalf of another for as important as that", async () => {
    // The echo is a change, and what it reads for it would be refused as a read.
    await fill(read, 7);
    const change = mesh.client(TestService).echo({ value: "of the change" }, { headers: bearer(mesh) });
    await expect.poll(() => underWay.length, { timeout: 20_000 }).toBe(8);
    expect(arrived.at(-1)).toBe("write");
    underWay.at(-1)?.answer();
    expect(await change).toMatchObject({ value: "of the change" });
  });
});
