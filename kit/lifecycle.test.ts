import { describe, expect, it } from "vitest";
import { Lifecycle } from "./lifecycle.ts";

describe("Lifecycle", () => {
  it("drains first, then aborts the signal, then closes in reverse order", async () => {
    const steps: string[] = [];
    const lifecycle = new Lifecycle();
    lifecycle.use("database", {}, () => void steps.push("close database"));
    lifecycle.use("server", {}, async () => void steps.push("close server"));
    lifecycle.onDrain("server", async () => void steps.push(`drain, aborted: ${lifecycle.signal.aborted}`));
    lifecycle.signal.addEventListener("abort", () => steps.push("abort"));
    lifecycle.ready = true;
    await Promise.all([lifecycle.stop(), lifecycle.stop()]);
    expect(steps).toEqual(["drain, aborted: false", "abort", "close server", "close database"]);
    expect(lifecycle.ready).toBe(false);
  });

  it("goes on when a resource hangs or fails, and reports it", async () => {
    const faults: string[] = [];
    const closed: string[] = [];
    const lifecycle = new Lifecycle({ graceMs: 20, onFault: (name) => faults.push(name) });
    lifecycle.use("first", {}, () => void closed.push("first"));
    lifecycle.use("hanging", {}, () => new Promise(() => {}));
    lifecycle.use("failing", {}, () => {
      throw new Error("no");
    });
    await lifecycle.stop();
    expect(faults).toEqual(["failing", "hanging"]);
    expect(closed).toEqual(["first"]);
  });
});
