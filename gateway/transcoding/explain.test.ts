import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { explainFaults } from "./explain.ts";
import { compileTestProtos } from "./testdata/descriptors.ts";

const every = compileTestProtos().message("Every");

const valid: JsonValue = {
  text: "a",
  yes: true,
  raw: "AQID",
  doubleValue: 1.5,
  intValue: -1,
  longValue: "5",
  uintValue: 1,
  ulongValue: "5",
  colour: "COLOUR_RED",
  child: { names: ["a"], child: { numbers: [1, 2] } },
  names: ["a", "b"],
  colours: ["COLOUR_BLUE", 0],
  children: [{ text: "x" }, { at: "2026-11-30T09:00:00Z" }],
  counts: { a: 1, b: 2 },
  byNumber: { "7": { yes: true } },
  left: "l",
  at: "2026-11-30T09:00:00Z",
  lasting: "1.5s",
  mask: "text,intValue",
  boxedInt: 5,
  shape: { a: [1, { b: null }] },
  anything: [1, "x"],
  several: [1],
  times: ["2026-11-30T09:00:00Z"],
};

const junk: JsonValue[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  2 ** 53,
  "",
  "x",
  "7",
  "\ud800",
  [],
  [null],
  [1],
  {},
  { x: 1 },
  { "": null },
];
const extraNames = ["text", "int_value", "intValue", "right", "unknown", "__proto__", "[a.b]", "child", "at"];

/** Numbers from 0 up to, and without, n; the same for the same seed (mulberry32). */
function random(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n;
  };
}

/** Replaces, adds or renames something at some depth. */
function mutate(value: JsonValue, pick: (n: number) => number): JsonValue {
  const replacement = junk[pick(junk.length)] ?? null;
  if (pick(4) === 0 || typeof value !== "object" || value === null) return replacement;
  if (Array.isArray(value)) {
    const index = pick(value.length + 1);
    return value.toSpliced(index, 1, mutate(value[index] ?? null, pick));
  }
  const copy: Record<string, JsonValue> = { ...value };
  const names = Object.keys(copy);
  const name = pick(3) === 0 ? (extraNames[pick(extraNames.length)] ?? "") : (names[pick(names.length)] ?? "x");
  Object.defineProperty(copy, name, { value: mutate(copy[name] ?? null, pick), enumerable: true, configurable: true });
  return copy;
}

function refused(json: JsonValue): boolean {
  try {
    fromJson(every, json);
    return false;
  } catch {
    return true;
  }
}

test("whatever the decoder refuses is explained, and nothing else", () => {
  const pick = random(20_261_121);
  let refusals = 0;
  for (let round = 0; round < 20_000; round++) {
    let json = mutate(valid, pick);
    if (pick(3) === 0) json = mutate(json, pick);
    const faults = explainFaults(every, json);
    if (refused(json) !== faults.length > 0)
      throw new Error(`${JSON.stringify(json)} explained as ${JSON.stringify(faults)}`);
    if (faults.length > 0) refusals += 1;
  }
  expect(refusals).toBeGreaterThan(5_000);
});
