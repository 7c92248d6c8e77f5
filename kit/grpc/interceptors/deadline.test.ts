import { Metadata } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Code } from "../../errors.ts";
import { cancelled, ServerCall } from "../server-call.ts";
import { TestService } from "../testing.ts";
import { deadline } from "./deadline.ts";
import type { Handle } from "./interceptor.ts";

const { brief, echo, watch } = TestService.method;
const request = { $typeName: "google.protobuf.StringValue" };
const forever = () => new Promise<never>(() => {});

function start(method: typeof echo | typeof watch, deadlineMs: number, next: Handle) {
  const call = new ServerCall(method, new Metadata(), deadlineMs);
  return { call, result: deadline.wrap(next)(call, request) };
}

describe("deadline", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is the sooner of the caller's and the policy's", () => {
    const now = Date.now();
    expect(start(brief, now + 60_000, forever).call.deadline).toEqual(new Date(now + 150));
    expect(start(brief, now + 50, forever).call.deadline).toEqual(new Date(now + 50));
    expect(start(echo, Number.POSITIVE_INFINITY, forever).call.deadline).toEqual(new Date(now + 2_000));
    expect(start(watch, Number.POSITIVE_INFINITY, forever).call.deadline).toBeUndefined();
  });

  it("answers in place of a handler that hangs, and tells it", async () => {
    const { call, result } = start(brief, Number.POSITIVE_INFINITY, forever);
    const { signal } = call;
    const answered = expect(result).rejects.toMatchObject({ code: Code.DEADLINE_EXCEEDED });
    await vi.advanceTimersByTimeAsync(149);
    expect(signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await answered;
    expect(signal.reason).toMatchObject({ code: Code.DEADLINE_EXCEEDED });
  });

  it("tells what grpc-js ended at the deadline from what the caller ended before", async () => {
    const late = start(brief, Date.now() + 100, forever);
    const early = start(brief, Date.now() + 100, forever);
    const lateEnd = expect(late.result).rejects.toMatchObject({ code: Code.DEADLINE_EXCEEDED });
    const earlyEnd = expect(early.result).rejects.toMatchObject({ code: Code.CANCELLED });
    early.call.lost();
    await vi.advanceTimersByTimeAsync(100);
    late.call.lost();
    await Promise.all([lateEnd, earlyEnd]);
  });

  it("does not start what is over already", async () => {
    const next = vi.fn(forever);
    const call = new ServerCall(echo, new Metadata(), Number.POSITIVE_INFINITY);
    call.abort(cancelled());
    await expect(deadline.wrap(next)(call, request)).rejects.toMatchObject({ code: Code.CANCELLED });
    expect(next).not.toHaveBeenCalled();
  });

  it("leaves no timer behind, and no signal for what happens after the answer", async () => {
    const { call, result } = start(echo, Number.POSITIVE_INFINITY, async () => Buffer.from("done"));
    await expect(result).resolves.toEqual(Buffer.from("done"));
    expect(vi.getTimerCount()).toBe(0);
    call.finish();
    call.lost();
    expect(call.signal.aborted).toBe(false);
  });
});
