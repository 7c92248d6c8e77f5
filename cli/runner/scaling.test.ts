import { expect, test } from "vitest";
import { checkTargets } from "./scaling.ts";

const counts = (...targets: [string, number][]) =>
  Object.fromEntries(checkTargets(targets.map(([service, count]) => ({ service, count }))));

test("several at once, and all four services by one word, over which a name stands", () => {
  expect(counts(["user", 5], ["task", 3], ["consumers", 10])).toEqual({ user: 5, task: 3, consumers: 10 });
  expect(counts(["all", 4])).toEqual({ auth: 4, user: 4, task: 4, notification: 4 });
  expect(counts(["task", 2], ["all", 4])).toEqual({ auth: 4, user: 4, task: 2, notification: 4 });
});

test.each([
  ["web", 1, 'There is no service "web"'],
  ["mail", 2, 'There is no service "mail"'],
  ["task", 0, "task cannot have 0 instances: take a number from 1 to 32"],
  ["all", 33, "all cannot have 33 instances"],
])("%s=%i is refused", (service, count, message) => {
  expect(() => counts([service, count])).toThrow(message);
});
