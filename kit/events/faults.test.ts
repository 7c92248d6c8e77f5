import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { until } from "../../tests/_util/until.ts";
import { Lifecycle } from "../lifecycle.ts";
import type { EventHandler } from "./chain.ts";
import { type GroupFaults, InjectedFaultError, withFaults } from "./faults.ts";

let folder: string;
let lifecycle: Lifecycle;
let handled: number;
const file = () => join(folder, "faults.json");
const tell = (faults: GroupFaults) => writeFile(file(), JSON.stringify(faults));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-faults-"));
  [lifecycle, handled] = [new Lifecycle(), 0];
});
afterEach(async () => {
  await lifecycle.stop();
  await rm(folder, { recursive: true, force: true });
});

function handler(group = "email"): () => Promise<void> {
  const count = async () => {
    handled += 1;
  };
  const handle = withFaults(count, { group, file: file(), lifecycle });
  const event = { signal: new AbortController().signal } as Parameters<EventHandler>[0];
  return () => handle(event);
}

it("does nothing without a file, without an entry, and with one that cannot be read", async () => {
  await handler()();
  await tell({ notification: { failShare: 1, delayMs: 0 } });
  await handler()();
  await writeFile(file(), "{");
  await handler()();
  expect(handled).toBe(3);
});

it("fails before the handler has done anything, from when the file says so until it no longer does", async () => {
  const run = handler();
  await run();
  await tell({ email: { failShare: 1, delayMs: 0 } });
  await until(
    "a try to fail",
    () =>
      run().then(
        () => false,
        (error) => error instanceof InjectedFaultError,
      ),
    { everyMs: 20 },
  );
  const before = handled;
  await expect(run()).rejects.toThrow(InjectedFaultError);
  expect(handled).toBe(before);
  await tell({});
  await until(
    "a try to succeed",
    () =>
      run().then(
        () => true,
        () => false,
      ),
    { everyMs: 20 },
  );
});

it("fails the share of tries that it is told", async () => {
  await tell({ email: { failShare: 0.2, delayMs: 0 } });
  const run = handler();
  const results = await Promise.allSettled(Array.from({ length: 2000 }, run));
  const failed = results.filter(({ status }) => status === "rejected").length;
  expect(failed).toBeGreaterThan(250);
  expect(failed).toBeLessThan(550);
});

it("makes each try late, and lets go of one that is given up", async () => {
  await tell({ email: { failShare: 0, delayMs: 60 } });
  const began = performance.now();
  await handler()();
  expect(performance.now() - began).toBeGreaterThan(55);
  await tell({ email: { failShare: 0, delayMs: 60_000 } });
  const handle = withFaults(async () => {}, { group: "email", file: file(), lifecycle });
  await expect(handle({ signal: AbortSignal.timeout(10) } as Parameters<EventHandler>[0])).rejects.toThrow();
});
