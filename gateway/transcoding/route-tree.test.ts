import { describe, expect, test } from "vitest";
import { HttpRuleError } from "./errors.ts";
import { parsePathTemplate } from "./path-template.ts";
import { RouteTree } from "./route-tree.ts";

const tree = new RouteTree<string>();
for (const rule of [
  "GET /v1/tasks",
  "POST /v1/tasks",
  "GET /v1/tasks:search",
  "GET /v1/tasks/{task_id}",
  "PATCH /v1/tasks/{task.task_id}",
  "POST /v1/tasks/{task_id}:complete",
  "GET /v1/tasks/{task_id}/comments",
  "POST /v1/tasks/special",
  "GET /v1/{name=shelves/*}/books",
  "GET /v1/shelves/main/maps",
  "GET /v1/{name=files/**}",
  "POST /v1/{name=files/**}:copy",
  "GET /v1/{any=*}",
  "PURGE /v1/caches/{id}",
  "* /v1/pages/{id}",
]) {
  const [method = "", path = ""] = rule.split(" ");
  tree.add(method, parsePathTemplate(path), rule);
}

const find = (method: string, path: string) => {
  const match = tree.find(method, path);
  return match?.kind === "found" ? match.value : match?.allow.join(" ");
};

describe("RouteTree", () => {
  test.each([
    ["GET", "/v1/tasks", "GET /v1/tasks"],
    ["HEAD", "/v1/tasks", "GET /v1/tasks"],
    ["GET", "/v1/%74asks", "GET /v1/tasks"],
    ["GET", "/v1/tasks:search", "GET /v1/tasks:search"],
    ["GET", "/v1/tasks/7", "GET /v1/tasks/{task_id}"],
    ["PATCH", "/v1/tasks/7", "PATCH /v1/tasks/{task.task_id}"],
    ["POST", "/v1/tasks/7:complete", "POST /v1/tasks/{task_id}:complete"],
    ["POST", "/v1/tasks/a:b:complete", "POST /v1/tasks/{task_id}:complete"],
    ["GET", "/v1/tasks/7:other", "GET /v1/tasks/{task_id}"],
    ["GET", "/v1/tasks/7%3Acomplete", "GET /v1/tasks/{task_id}"],
    ["GET", "/v1/tasks/7/comments", "GET /v1/tasks/{task_id}/comments"],
    ["GET", "/v1/shelves/main/books", "GET /v1/{name=shelves/*}/books"],
    ["GET", "/v1/shelves/main/maps", "GET /v1/shelves/main/maps"],
    ["GET", "/v1/files", "GET /v1/{name=files/**}"],
    ["GET", "/v1/files/a/b/c", "GET /v1/{name=files/**}"],
    ["POST", "/v1/files/a/b:copy", "POST /v1/{name=files/**}:copy"],
    ["GET", "/v1/other", "GET /v1/{any=*}"],
    ["GET", "/v1/tasks%2F7", "GET /v1/{any=*}"],
    ["PURGE", "/v1/caches/7", "PURGE /v1/caches/{id}"],
    ["PUT", "/v1/pages/7", "* /v1/pages/{id}"],
  ])("%s %s finds %s", (method, path, rule) => {
    expect(find(method, path)).toBe(rule);
  });

  test("a literal goes before a variable, but not for a method that it lacks", () => {
    expect(find("POST", "/v1/tasks/special")).toBe("POST /v1/tasks/special");
    expect(find("GET", "/v1/tasks/special")).toBe("GET /v1/tasks/{task_id}");
  });

  test("another method is answered with those that there are", () => {
    expect(find("PUT", "/v1/tasks")).toBe("GET POST");
    expect(find("GET", "/v1/tasks/7:complete")).toBe("POST");
    expect(find("PUT", "/v1/tasks/special")).toBe("POST GET PATCH");
  });

  test.each([
    "/v1",
    "/v2/tasks",
    "/v1/tasks/",
    "//v1/tasks",
    "/v1//tasks",
    "/v1/tasks/7/comments/8",
    "/",
    "",
    "/V1/tasks",
  ])("nothing is at %s", (path) => {
    expect(tree.find("GET", path)).toBeUndefined();
  });

  test("a path belongs to one method", () => {
    expect(() => tree.add("GET", parsePathTemplate("/v1/tasks/{other}"), "")).toThrow(HttpRuleError);
    expect(() => tree.add("GET", parsePathTemplate("/v1/tasks/*"), "")).toThrow(HttpRuleError);
  });
});
