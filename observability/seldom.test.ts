import { expect, test } from "vitest";
import { seldom } from "./seldom.ts";

test("many occurrences become one line in each interval, with their count", () => {
  let now = 1000;
  const said: Array<[string, number]> = [];
  const complain = seldom<string>(
    60_000,
    (reason, count) => said.push([reason, count]),
    () => now,
  );
  complain("first");
  for (let index = 0; index < 500; index++) complain("again");
  expect(said).toEqual([["first", 1]]);
  now += 60_000;
  complain("later");
  expect(said).toEqual([
    ["first", 1],
    ["later", 501],
  ]);
});
