import { expect, it } from "vitest";
import { edgeLog } from "./access-log.ts";
import { allRpcs } from "./rpcs.ts";

// biome-ignore lint/suspicious/noExplicitAny: a test looks at one field of a deep message
const lines = edgeLog(allRpcs()) as any[];
const regexes = lines.map(
  ({ filter }) => filter.and_filter.filters[0].header_filter.header.string_match.safe_regex.regex,
);
const known = new RegExp(`^(?:${regexes[0]})$`);
const id = "01a1ff1e-8413-7ace-a407-755f2b686b9e";

it.each([
  "/",
  "/v1/tasks?filter=x",
  `/v1/tasks/${id}:share`,
  "/task.v1.TaskService/GetTask",
  "/health/ready",
  "/docs/scalar.js",
])("knows the path %s", (path) => expect(path).toMatch(known));

it.each([
  "/v1/task",
  "/v1/tasks/a-title",
  `/v1/tasks/${id}/ann@example.org`,
  "/user.v1.UserService/CreateUser",
  "//",
  "/docsxscalar.js",
])("keeps the path %s to itself", (path) => expect(path).not.toMatch(known));

it("has exactly one line for each request: with its path or without, as information or as an error", () => {
  expect(new Set(regexes).size).toBe(1);
  const cases = lines.map(({ filter, typed_config }) => {
    const [path, status] = filter.and_filter.filters;
    const { op, value } = status.status_code_filter.comparison;
    const isOpen = typed_config.log_format.json_format.path !== "-";
    expect(path.header_filter.header.invert_match).toBe(!isOpen);
    return `${isOpen} ${op} ${value.default_value} ${typed_config.log_format.json_format.level}`;
  });
  expect(cases.sort()).toEqual(["false GE 500 error", "false LE 499 info", "true GE 500 error", "true LE 499 info"]);
});
