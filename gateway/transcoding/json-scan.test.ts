import { describe, expect, test } from "vitest";
import { countMembers, scanJson } from "./json-scan.ts";

describe("scanJson", () => {
  test.each([
    "{}",
    "[]",
    "null",
    ' { "a" : [ 1 , -2.5e+3 , true , { } , [ ] , "x\\u0041\\"" ] , "" : 0 } ',
    "0",
    "-0",
    '"\ud83d\ude00"',
  ])("takes %s as JSON.parse does", (json) => {
    JSON.parse(json);
    expect(scanJson(json)).toBeUndefined();
  });

  test.each([
    ["", 0, []],
    ["{", 1, []],
    ['{"a"', 4, ["a"]],
    ['{"a":', 5, ["a"]],
    ['{"a":1', 6, ["a"]],
    ['{"a":1,}', 7, ["a"]],
    ['{"a":[1,2,]}', 10, ["a", 2]],
    ['{"a":{"b":01}}', 11, ["a", "b"]],
    ['{"a":"x\ny"}', 5, ["a"]],
    ['{"a":"\\x"}', 5, ["a"]],
    ['{"a":nul}', 5, ["a"]],
    ["{'a':1}", 1, []],
    ['{"a":1}}', 7, []],
    ['{"a":1]', 6, ["a"]],
    ["1 2", 2, []],
    ["\ufeff{}", 0, []],
  ])("%j is no JSON from offset %i", (json, offset, path) => {
    expect(() => JSON.parse(json)).toThrow(SyntaxError);
    expect(scanJson(json)).toEqual({ kind: "syntax", offset, path });
  });

  test.each([
    ['{"a":1,"a":2}', ["a"]],
    ['{"a":1,"\\u0061":2}', ["a"]],
    ['{"a":{"b":1},"c":[{"d":1},{"d":1,"d":2}]}', ["c", 1, "d"]],
    ['{"__proto__":1,"__proto__":2}', ["__proto__"]],
  ])("%j names a member twice", (json, path) => {
    expect(scanJson(json)).toMatchObject({ kind: "duplicate", path });
  });

  test("any depth and any length", () => {
    const deep = 500_000;
    expect(scanJson("[".repeat(deep) + "]".repeat(deep))).toBeUndefined();
    expect(scanJson("[".repeat(deep))).toMatchObject({ kind: "syntax", offset: deep });
    expect(scanJson(JSON.stringify({ a: 'x\\"'.repeat(300_000) }))).toBeUndefined();
  });
});

test.each([
  ["{}", 0],
  ['{"a":1,"b":{"c":":"}}', 3],
  ['{"a\\"b":"\\\\","c":"\\\\\\":"}', 2],
  ['"a:b"', 0],
  ['[{"a":1},{"a":2}]', 2],
])("%s has %i members", (json, members) => {
  JSON.parse(json);
  expect(countMembers(json)).toBe(members);
});
