import { expect, it } from "vitest";
import { byTime } from "./order.ts";

const lines = (name: string, ...texts: string[]) => texts.map((text) => ({ name, text }));

it("brings the lines of several logs into the order of time", () => {
  const task = lines("task-1", '{"time":"2026-11-21T17:00:00.000Z"}', '{"time":"2026-11-21T17:00:02.000Z"}');
  const kafka = lines("kafka", "2026-11-21T17:00:01.500Z INFO started");
  const postgres = lines("postgres", "2026-11-21 17:00:01.000 UTC [1] LOG:  ready", "\tcontinued");
  expect(byTime([task, kafka, postgres]).map(({ name }) => name)).toEqual([
    "task-1",
    "postgres",
    "postgres",
    "kafka",
    "task-1",
  ]);
});
