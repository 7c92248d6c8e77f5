import { expect, test } from "vitest";
import { unknownPosition } from "#kit/db/position.ts";
import { areTokens, positionFor, tokenOf } from "./token.ts";

const [first, second] = [tokenOf("task", 0x1fn), tokenOf("user", 0x2fn)];

test("a service finds its own among the tokens of several, the newest of them", () => {
  expect(positionFor("task", undefined)).toBe(0n);
  expect(positionFor("task", second)).toBe(0n);
  expect(positionFor("task", `${first}, ${second},${tokenOf("task", 0x20n)}`)).toBe(0x20n);
});

test.each(["", "task", "task=1", `${first};`, `${first},`, "task=00000000000000ZZ", Array(11).fill(first).join(",")])(
  "%j is no token, and asks for everything",
  (header) => {
    expect(areTokens(header)).toBe(false);
    expect(positionFor("task", header)).toBe(unknownPosition);
  },
);
