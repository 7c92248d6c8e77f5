import { expect, it } from "vitest";
import { completeTimeAfter, type Transition, transition } from "./status.ts";
import { Status } from "./task.ts";

const { OPEN, IN_PROGRESS, DONE, CANCELLED } = Status;

it.each<[string, Status, Status, Transition]>([
  ["open stays open", OPEN, OPEN, "none"],
  ["begun", OPEN, IN_PROGRESS, "moved"],
  ["laid aside", IN_PROGRESS, OPEN, "moved"],
  ["done at once", OPEN, DONE, "completed"],
  ["done", IN_PROGRESS, DONE, "completed"],
  ["given up", OPEN, CANCELLED, "moved"],
  ["given up on the way", IN_PROGRESS, CANCELLED, "moved"],
  ["done again", DONE, DONE, "none"],
  ["not done after all", DONE, OPEN, "reopened"],
  ["not done after all, and begun", DONE, IN_PROGRESS, "reopened"],
  ["done cannot be given up", DONE, CANCELLED, "refused"],
  ["given up cannot be done", CANCELLED, DONE, "refused"],
  ["taken up again", CANCELLED, OPEN, "reopened"],
  ["taken up again, and begun", CANCELLED, IN_PROGRESS, "reopened"],
  ["given up again", CANCELLED, CANCELLED, "none"],
])("%s", (_, from, to, expected) => {
  expect(transition(from, to)).toBe(expected);
});

it("sets the time of completion once, and clears it when the task is reopened", () => {
  const at = new Date("2026-11-21T12:00:00Z");
  const earlier = new Date("2026-11-20T12:00:00Z");
  expect(completeTimeAfter({ status: OPEN, completeTime: null }, DONE, at)).toBe(at);
  expect(completeTimeAfter({ status: DONE, completeTime: earlier }, DONE, at)).toBe(earlier);
  expect(completeTimeAfter({ status: DONE, completeTime: earlier }, OPEN, at)).toBeNull();
});
