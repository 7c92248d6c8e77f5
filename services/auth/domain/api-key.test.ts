import { expect, test } from "vitest";
import { apiKeyEnd } from "./api-key.ts";

const now = new Date("2026-11-21T12:00:00Z");
const latest = new Date("2027-11-22T12:00:00Z");

test("a key lives for a year and a day unless it is to end sooner", () => {
  expect(apiKeyEnd(undefined, now)).toEqual(latest);
  expect(apiKeyEnd(latest, now)).toEqual(latest);
  const soon = new Date(now.getTime() + 1);
  expect(apiKeyEnd(soon, now)).toEqual(soon);
});

test.each([now, new Date(0), new Date(latest.getTime() + 1)])("it cannot end at %s", (wished) => {
  expect(() => apiKeyEnd(wished, now)).toThrow(
    expect.objectContaining({ fieldViolations: [expect.objectContaining({ field: "expire_time" })] }),
  );
});
