import { expect, it } from "vitest";
import { readNote, readTaskText } from "./task-text.ts";

it.each<[string, string, string[]]>([
  ["@errands test project task", "test project task", ["errands"]],
  ["buy milk @home @shop", "buy milk", ["home", "shop"]],
  ["call @büro and @büro again", "call and again", ["büro"]],
  ["mail bob@example.com", "mail bob@example.com", []],
  ["mail @bob@example.social", "mail @bob@example.social", []],
  ["at @ noon", "at @ noon", []],
  ["pay (@home)", "pay (@home)", []],
  ["@home, now", "@home, now", []],
  ["@home", "@home", ["home"]],
  ["@a @b", "@a @b", ["a", "b"]],
  ["  plain  ", "plain", []],
])("%j is %j with the labels %j", (content, title, labels) => {
  expect(readTaskText(content, "")).toEqual({ title, description: "", labels });
});

it("puts what does not fit in one line into the description", () => {
  expect(readTaskText("first\r\nsecond\nthird", "more")).toMatchObject({
    title: "first",
    description: "second\nthird\n\nmore",
  });
  const long = "🙂".repeat(600);
  expect(readTaskText(long, "")).toMatchObject({ title: "🙂".repeat(500), description: long });
});

it("drops characters that no text should have", () => {
  expect(readTaskText("a\u0000b\u0007c", "d\u0000e")).toMatchObject({ title: "abc", description: "de" });
});

it("keeps a note as it is, and of a file its name and address", () => {
  const file =
    '{"file_type":"image\\/png","file_name":"edit.png","file_url":"https:\\/\\/example.com\\/edit.png","n":[1]}';
  expect(readNote("first comment blah")).toBe("first comment blah");
  expect(readNote(` [[file ${file}]]`)).toBe("edit.png: https://example.com/edit.png");
  expect(readNote(`see [[file ${file}]] please`)).toBe("see edit.png: https://example.com/edit.png please");
  expect(readNote("[[file {broken]]")).toBe("[[file {broken]]");
  expect(readNote('[[file {"x":1}]]')).toBe('[[file {"x":1}]]');
});
