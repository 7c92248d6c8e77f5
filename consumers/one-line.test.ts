import { describe, expect, it } from "vitest";
import { oneLine } from "./one-line.ts";

describe("oneLine", () => {
  it.each([
    ["Buy milk", "Buy milk"],
    ["  Buy\t milk\n", "Buy milk"],
    ["a\r\nBcc: b", "a Bcc: b"],
    ["a\u0085b\u2028c\u2029d\u0000e", "a b c d e"],
    ["evil\u202etxt.exe", "evil txt.exe"],
    ["👩‍👩‍👧 und Käse", "👩‍👩‍👧 und Käse"],
    ["\ud800", "\ufffd"],
    ["\r\n", ""],
  ])("%j is %j", (text, line) => {
    expect(oneLine(text)).toBe(line);
  });

  it("ends in … when it was longer, never in half a character", () => {
    expect(oneLine("🧀".repeat(10), 5)).toBe("🧀🧀🧀🧀…");
    expect(oneLine("🧀".repeat(5), 5)).toBe("🧀".repeat(5));
  });
});
