import { expect, test } from "vitest";
import { WakeUp } from "./wake-up.ts";

test("a wait ends with the notification", async () => {
  const wakeUp = new WakeUp();
  const waiting = wakeUp.wait(60_000);
  wakeUp.notify();
  expect(await waiting).toBe(true);
});

test("what was notified before ends the next wait, once", async () => {
  const wakeUp = new WakeUp();
  wakeUp.notify();
  wakeUp.notify();
  expect(await wakeUp.wait(60_000)).toBe(true);
  expect(await wakeUp.wait(1)).toBe(false);
});
