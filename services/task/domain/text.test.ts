import { expect, it } from "vitest";
import { excerptOf, mustSaySomething } from "./comment.ts";
import { labelKey, toLabelName } from "./label-name.ts";

it("compares names of labels without regard to case and to the form of accents", () => {
  expect(labelKey("ÉRRANDS")).toBe(labelKey("e\u0301rrands"));
  expect(labelKey("home")).not.toBe(labelKey("Haus"));
});

it("takes blanks off a label's name, and refuses one that is nothing else", () => {
  expect(toLabelName("  Errands ")).toBe("Errands");
  expect(() => toLabelName("  \t ")).toThrow(
    expect.objectContaining({ fieldViolations: [expect.objectContaining({ field: "name" })] }),
  );
});

it("refuses a comment that says nothing", () => {
  expect(() => mustSaySomething(" \n\t ")).toThrow(
    expect.objectContaining({ fieldViolations: [expect.objectContaining({ field: "text" })] }),
  );
  expect(() => mustSaySomething(" ok ")).not.toThrow();
});

it.each([
  ["short", "Hello", "Hello"],
  ["long", "x".repeat(300), "x".repeat(200)],
  ["of emoji", "🙂".repeat(300), "🙂".repeat(200)],
])("gives the first 200 characters of a text that is %s", (_, text, excerpt) => {
  expect(excerptOf(text)).toBe(excerpt);
});
