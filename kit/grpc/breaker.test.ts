import { describe, expect, it } from "vitest";
import { Health } from "#gen/grpc/health/v1/health_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { setMeter } from "#observability/metrics.ts";
import { PrometheusMeter } from "#observability/prometheus-meter.ts";
import { notFound, type ServiceError, unavailable } from "../errors.ts";
import { Breakers } from "./breaker.ts";
import { cancelled, deadlineExceeded } from "./server-call.ts";
import { TestService } from "./testing.ts";

const { open, read, echo } = TestService.method;
const gone = notFound(ErrorReason.TASK_NOT_FOUND, "no such task");

function stage() {
  let now = 0;
  let made = 0;
  const breakers = new Breakers(() => now);
  /** A call that takes so long and then ends so; answers whether it was made at all. */
  const call = async (ms: number, end: ServiceError | "well", method: typeof open = open) => {
    const before = made;
    await breakers
      .run(method, async () => {
        made += 1;
        now += ms;
        if (end !== "well") throw end;
      })
      .catch(() => {});
    return made > before;
  };
  const hang = async (times: number) => {
    for (let n = 0; n < times; n++) await call(2_000, n % 2 ? deadlineExceeded() : unavailable("away"));
  };
  const wait = (ms: number) => {
    now += ms;
  };
  return { breakers, call, hang, wait };
}

describe("the breaker of an RPC", () => {
  it("refuses calls at once when ten in a row have hung, and says when to come back", async () => {
    const { breakers, call, hang } = stage();
    await hang(9);
    expect(await call(2_000, deadlineExceeded())).toBe(true);
    expect(await call(1, "well")).toBe(false);
    await expect(breakers.run(open, async () => {})).rejects.toMatchObject({
      reason: ErrorReason.UNAVAILABLE,
      retryAfterMs: 500,
    });
  });

  it("lets one call through after half a second, whose answer closes it", async () => {
    const { breakers, call, hang, wait } = stage();
    await hang(10);
    wait(500);
    const { promise, resolve } = Promise.withResolvers<void>();
    const trial = breakers.run(open, () => promise);
    expect(await call(1, "well")).toBe(false);
    resolve();
    await trial;
    expect(await call(1, "well")).toBe(true);
  });

  it("stays open when that one hangs too, and tries again when it came to nothing", async () => {
    const { call, hang, wait } = stage();
    await hang(10);
    wait(500);
    expect(await call(2_000, deadlineExceeded())).toBe(true);
    expect(await call(1, "well")).toBe(false);
    wait(500);
    expect(await call(1, cancelled())).toBe(true);
    expect(await call(1, gone)).toBe(true);
    expect(await call(1, "well")).toBe(true);
  });

  it("counts no failure that came soon, and none of a caller with little patience", async () => {
    const { call } = stage();
    for (let n = 0; n < 50; n++) await call(100, n % 2 ? deadlineExceeded() : unavailable("away"));
    expect(await call(1, "well")).toBe(true);
  });

  it("begins anew with every answer, also one that says no", async () => {
    const { call, hang } = stage();
    await hang(9);
    await call(1, gone);
    await hang(9);
    expect(await call(1, "well")).toBe(true);
  });

  it("is one for each RPC, and none for health, which speaks for many services", async () => {
    const { call, hang } = stage();
    await hang(10);
    expect(await call(1, "well", read)).toBe(true);
    expect(await call(1, "well", echo)).toBe(true);
    const health = Health.method.check as unknown as typeof open;
    for (let n = 0; n < 20; n++) await call(5_000, deadlineExceeded(), health);
    expect(await call(1, "well", health)).toBe(true);
  });

  it("says of each RPC whether it is open, and how often it was, from the first call on", async () => {
    const meter = new PrometheusMeter({ "service.name": "task", "service.instance.id": "task-1" });
    setMeter(meter);
    const told = () =>
      ["taskmesh_breaker_open", "taskmesh_breaker_opened_total"].map((name) => {
        const line = meter.render("text").match(new RegExp(`^${name}\\{[^}]*Open"[^}]*\\} (\\d+)`, "m"));
        return Number(line?.[1] ?? Number.NaN);
      });
    const { call, hang, wait } = stage();
    await call(1, "well");
    expect(told()).toEqual([0, 0]);
    await hang(10);
    expect(told()).toEqual([1, 1]);
    wait(500);
    await call(1, "well");
    expect(told()).toEqual([0, 1]);
    await hang(10);
    expect(told()).toEqual([1, 2]);
  });
});
