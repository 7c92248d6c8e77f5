import { describe, expect, test } from "vitest";
import { matchesStrongly, matchesWeakly, parseTags } from "./entity-tags.ts";

describe("a condition", () => {
  test.each([
    ["*", "*"],
    [" * ", "*"],
    ['"a"', [{ value: "a", weak: false }]],
    ['W/"a"', [{ value: "a", weak: true }]],
    ['""', [{ value: "", weak: false }]],
    [', ,"a",, ', [{ value: "a", weak: false }]],
    [
      '"a,b" , W/"c"',
      [
        { value: "a,b", weak: false },
        { value: "c", weak: true },
      ],
    ],
  ])("%s is read", (header, condition) => {
    expect(parseTags(header)).toEqual(condition);
  });

  test.each(["", "a", '"a', 'a"', "'a'", 'w/"a"', '"a" "b"', '"a"b"', '*, "a"', '"ä"', '"a b"', "W/a", ","])(
    "%j is malformed",
    (header) => {
      expect(parseTags(header)).toBeUndefined();
    },
  );
});

test.each([
  ["*", true, true],
  ['"v7"', true, true],
  ['W/"v7"', false, true],
  ['"v6", "v7"', true, true],
  ['"v6", W/"v7"', false, true],
  ['"v6"', false, false],
])("%s against v7: strong %s, weak %s", (header, strong, weak) => {
  const condition = parseTags(header) ?? [];
  expect(matchesStrongly(condition, "v7")).toBe(strong);
  expect(matchesWeakly(condition, "v7")).toBe(weak);
});
