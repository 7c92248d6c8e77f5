import { describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { WorkPool } from "./work-pool.ts";

/** A job that ends when it is told to. */
function job() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const state = { started: false, finish: resolve, fail: reject };
  const run = () => {
    state.started = true;
    return promise;
  };
  return Object.assign(state, { run });
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("WorkPool", () => {
  it("runs two at a time, the others in their order, and refuses what the queue cannot hold", async () => {
    const pool = new WorkPool({ slots: 2, queue: 2 });
    const jobs = [job(), job(), job(), job(), job()];
    const results = jobs.map(({ run }) => pool.run(run));
    await expect(results[4]).rejects.toMatchObject({ reason: ErrorReason.RATE_LIMITED, retryAfterMs: 1000 });
    expect(jobs.map(({ started }) => started)).toEqual([true, true, false, false, false]);
    jobs[1]?.finish("second");
    expect(await results[1]).toBe("second");
    await settled();
    expect(jobs.map(({ started }) => started)).toEqual([true, true, true, false, false]);
    jobs[0]?.fail(new Error("failed"));
    await expect(results[0]).rejects.toThrow("failed");
    await settled();
    expect(jobs[3]?.started).toBe(true);
    for (const { finish } of jobs) finish("done");
    await Promise.all([results[2], results[3]]);
    expect(await pool.run(async () => "free again")).toBe("free again");
  });

  it("gives the place of somebody who goes away to the next", async () => {
    const pool = new WorkPool({ slots: 1, queue: 1 });
    const [busy, waiting, next] = [job(), job(), job()];
    const first = pool.run(busy.run);
    const abort = new AbortController();
    const second = pool.run(waiting.run, abort.signal);
    abort.abort(new Error("gone"));
    await expect(second).rejects.toThrow("gone");
    const third = pool.run(next.run);
    busy.finish("");
    next.finish("next");
    await first;
    expect(await third).toBe("next");
    expect(waiting.started).toBe(false);
  });
});
