import { expect, test } from "vitest";
import { readSearch } from "./search-form.ts";

const search = (text: string) => readSearch(new URLSearchParams(text));

test("reads every field, with what is usual in place of what is missing", () => {
  expect(search("")).toEqual({ service: "gateway", limit: 20, errorsOnly: false });
  expect(
    search("service=task&operation=SELECT+task&minDuration=1.5+s&errors=1&tag=taskmesh.task.id%3Da%3Db&limit=200"),
  ).toEqual({
    service: "task",
    operation: "SELECT task",
    minDuration: "1.5s",
    errorsOnly: true,
    tag: ["taskmesh.task.id", "a=b"],
    limit: 200,
  });
});

test.each([
  ["minDuration=fast", "minDuration"],
  ["minDuration=-1ms", "minDuration"],
  ["limit=0", "limit"],
  ["limit=201", "limit"],
  ["limit=1e9", "limit"],
  ["tag=word", "tag"],
  ["tag=%3Dvalue", "tag"],
  [`operation=${"x".repeat(201)}`, "operation"],
])("names the wrong field of %s", (text, field) => {
  expect(() => search(text)).toThrow(expect.objectContaining({ name: "FieldError", field }));
});
