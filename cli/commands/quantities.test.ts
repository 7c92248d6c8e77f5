import { describe, expect, it } from "vitest";
import { milliseconds, percent, someOf, whole } from "./quantities.ts";

describe("what an operator writes", () => {
  it.each([
    ["500ms", 500],
    ["1.5s", 1500],
    ["30", 30_000],
    ["2m", 120_000],
    ["1h", 3_600_000],
  ])("%s is a time", (text, expected) => expect(milliseconds(text)).toBe(expected));

  it.each([
    ["20%", 0.2],
    ["0.5", 0.005],
    ["100", 1],
  ])("%s is a share", (text, expected) => expect(percent(text)).toBeCloseTo(expected, 10));

  it.each([
    () => milliseconds("-1s"),
    () => milliseconds("soon"),
    () => percent("101"),
    () => percent("-1"),
    () => whole("0"),
    () => whole("1.5"),
    () => someOf("kill,bite", ["kill", "pause"]),
  ])("nonsense is refused with a line", (read) => expect(read).toThrow(/must|Write|not one of/));

  it("lists of words are taken apart", () =>
    expect(someOf("kill, pause", ["kill", "pause"])).toEqual(["kill", "pause"]));
});
