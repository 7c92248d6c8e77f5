import { describe, expect, test } from "vitest";
import { HttpRuleError } from "./errors.ts";
import { parsePathTemplate, type Segment } from "./path-template.ts";

const shape = (segments: Segment[]) =>
  segments.map((each) => (each.kind === "literal" ? each.text : each.kind)).join("/");

describe("parsePathTemplate", () => {
  test.each([
    ["/v1/tasks", "v1/tasks", "", []],
    ["/v1/tasks:search", "v1/tasks", "search", []],
    ["/v1/tasks/{task_id}", "v1/tasks/*", "", ["task_id 2-3"]],
    ["/v1/tasks/{task.task_id}", "v1/tasks/*", "", ["task.task_id 2-3"]],
    ["/v1/tasks/{task_id}:complete", "v1/tasks/*", "complete", ["task_id 2-3"]],
    ["/v1/{name=messages/*}", "v1/messages/*", "", ["name 1-3 multiple"]],
    ["/v1/{name=*}", "v1/*", "", ["name 1-2"]],
    ["/v1/{name=**}", "v1/**", "", ["name 1-end multiple"]],
    ["/v1/{name=a/*/b/**}:copy", "v1/a/*/b/**", "copy", ["name 1-end multiple"]],
    ["/v1/{parent=users/*}/messages/{id}", "v1/users/*/messages/*", "", ["parent 1-3 multiple", "id 4-5"]],
    ["/*/x/**", "*/x/**", "", []],
    ["/.well-known/jwks.json", ".well-known/jwks.json", "", []],
    ["/v1/a%2Fb", "v1/a/b", "", []],
  ])("%s", (text, segments, verb, variables) => {
    const template = parsePathTemplate(text);
    expect(shape(template.segments)).toBe(segments);
    expect(template.verb).toBe(verb);
    expect(
      template.variables.map(
        ({ fieldPath, start, end, multiple }) => `${fieldPath} ${start}-${end ?? "end"}${multiple ? " multiple" : ""}`,
      ),
    ).toEqual(variables);
  });

  test.each([
    "",
    "v1/tasks",
    "/",
    "//",
    "/v1/",
    "/v1//x",
    "/v1/{}",
    "/v1/{=*}",
    "/v1/{a",
    "/v1/{a=}",
    "/v1/{a={b}}",
    "/v1/{a}{b}",
    "/v1/x{a}",
    "/v1/{a.}",
    "/v1/{1a}",
    "/v1/{a}/{a}",
    "/v1/**/x",
    "/v1/{a=**}/x",
    "/v1/***",
    "/v1/x*",
    "/v1:",
    "/v1:a/b",
    "/v1:a:b",
    "/v1/{a}:{b}",
    "/v1/a b",
    "/v1/%zz",
    "/v1?x",
  ])("refuses %j", (text) => {
    expect(() => parsePathTemplate(text)).toThrow(HttpRuleError);
  });
});
