import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isOneAnswer, rawHttp } from "./raw-http.ts";
import { startWholeEdge, type WholeEdge } from "./whole-edge.ts";

const taskId = "0190a1b2-0000-7000-8000-000000000001";
const internal = new Set([
  "user.v1.UserService/BatchGetUsers",
  "user.v1.UserService/CreateUser",
  "auth.v1.AuthService/ListRevokedSessions",
]);

let edge: WholeEdge;
let token = "";
beforeAll(async () => {
  edge = await startWholeEdge();
  token = edge.gateway.issuer.token({ sub: "user-1" });
  edge.gateway.handlers.set("task.v1.TaskService/GetTask", async ({ taskId }) => ({ task: { taskId } }));
});
afterAll(() => edge?.stop());

const call = (method: string, path: string, type = "application/json") =>
  rawHttp(
    edge.port,
    [
      `${method} ${path} HTTP/1.1`,
      "host: edge",
      `authorization: Bearer ${token}`,
      `content-type: ${type}`,
      `content-length: ${method === "POST" ? 2 : 0}`,
      "connection: close",
      "",
      method === "POST" ? "{}" : "",
    ].join("\r\n"),
    isOneAnswer,
  );

const tricks = [
  "/user.v1.UserService/BatchGetUsers",
  "//user.v1.UserService/BatchGetUsers",
  "/user.v1.UserService//BatchGetUsers",
  "/user.v1.UserService/./BatchGetUsers",
  "/v1/../user.v1.UserService/BatchGetUsers",
  "/task.v1.TaskService/../user.v1.UserService/BatchGetUsers",
  "/task.v1.TaskService/GetTask/../../user.v1.UserService/BatchGetUsers",
  "/v1/%2e%2e/user.v1.UserService/BatchGetUsers",
  "/v1/.%2e/user.v1.UserService/BatchGetUsers",
  "/v1/%2E%2E/user.v1.UserService/BatchGetUsers",
  "/v1/%252e%252e/user.v1.UserService/BatchGetUsers",
  "/v1/..%2fuser.v1.UserService/BatchGetUsers",
  "/v1/..%5cuser.v1.UserService/BatchGetUsers",
  "/v1\\..\\user.v1.UserService\\BatchGetUsers",
  "/user.v1.UserService%2fBatchGetUsers",
  "/user.v1.UserService%2FBatchGetUsers",
  "/user.v1.UserService%5cBatchGetUsers",
  "/user.v1.UserService\\BatchGetUsers",
  "/user%2ev1%2eUserService/BatchGetUsers",
  "/user.v1.UserService/%42atchGetUsers",
  "/user.v1.UserService/BatchGetUsers;x=1",
  "/user.v1.UserService;x/BatchGetUsers",
  "/;/user.v1.UserService/BatchGetUsers",
  "/user.v1.UserService/BatchGetUsers%00",
  "/user.v1.UserService/BatchGetUsers%00.json",
  "/user.v1.UserService/BatchGetUsers%20",
  "/user.v1.UserService/BatchGetUsers%0d%0a",
  "/user.v1.UserService/BatchGetUsers?",
  "/user.v1.UserService/BatchGetUsers#x",
  "/user.v1.UserService/BatchGetUsers/",
  "/USER.V1.USERSERVICE/BATCHGETUSERS",
  "/user.v1.userservice/batchgetusers",
  "/%c0%af/user.v1.UserService/BatchGetUsers",
  "/v1/%c0%ae%c0%ae/user.v1.UserService/BatchGetUsers",
  "/user.v1.UserService%c0%afBatchGetUsers",
  "/user.v1.UserService%e0%80%afBatchGetUsers",
  "/user.v1.UserService\uff0fBatchGetUsers",
  "/user.v1.UserService/Create\u212aser",
  "/user.v1.UserService/CreateUser",
  "/auth.v1.AuthService/ListRevokedSessions",
  "/mesh.test.v1.TestService/WithoutPolicy",
];

describe.each(["POST", "GET"])("%s", (method) => {
  test.concurrent.each(tricks)("%s reaches no internal RPC", async (path) => {
    for (const type of ["application/json", "application/proto", "application/grpc-web+proto", "application/grpc"]) {
      const { status } = await call(method, path, type);
      expect([200, 400, 401, 404, 405, 415].includes(status) || Number.isNaN(status)).toBe(true);
    }
    expect(
      edge.arrivals().filter(({ method: arrived }) => internal.has(arrived) || arrived.startsWith("mesh.")),
    ).toEqual([]);
  });
});

describe("the parameter of a path", () => {
  beforeEach(() => {
    edge.gateway.arrivals.length = 0;
  });
  const get = (path: string) => call("GET", path);

  test.each([`/v1/tasks/%2F${taskId}`, `/v1/tasks/${taskId}%2f..`, `/v1/tasks/${taskId}%5c`, "/v1/tasks/%2e%2e%2fme"])(
    "%s with an escaped slash is a 400",
    async (path) => {
      expect((await get(path)).status).toBe(400);
      expect(edge.arrivals()).toEqual([]);
    },
  );

  test.each([
    ["%00", `/v1/tasks/${taskId}%00`],
    ["an overlong slash", "/v1/tasks/%c0%af"],
    ["bytes that are no UTF-8", "/v1/tasks/%ff%fe"],
    ["half an escape", "/v1/tasks/%4"],
    ["an escape that is none", "/v1/tasks/%zz"],
    ["a semicolon", `/v1/tasks/${taskId};admin=true`],
    ["a raw byte", "/v1/tasks/\xff"],
  ])("%s is refused before a service, or arrives as the text that it is", async (_what, path) => {
    const { status, text } = await get(path);
    expect([200, 400, 404]).toContain(status);
    const ids = edge.arrivals().map(({ request }) => (request as unknown as { taskId: string }).taskId);
    // Never cut off or decoded into another's id.
    expect(ids).not.toContain(taskId);
    expect(text).not.toMatch(/ at .*\.ts:\d+/);
  });

  test("an id in escapes is the same id", async () => {
    const escaped = [...taskId].map((char) => `%${char.charCodeAt(0).toString(16)}`).join("");
    expect((await get(`/v1/tasks/${escaped}`)).status).toBe(200);
    expect(edge.arrivals().map(({ request }) => (request as unknown as { taskId: string }).taskId)).toEqual([taskId]);
  });
});

test.concurrent.each([
  "/config_dump",
  "/stats",
  "/stats/prometheus",
  "/server_info",
  "/clusters",
  "/listeners",
  "/quitquitquit",
  "/healthcheck/fail",
  "/logging?level=debug",
  "/runtime_modify?a=b",
  "/metrics",
  "/ready",
  "/live",
  "/.env",
  "/.git/config",
  "/debug/pprof",
])("%s of the inside is not served", async (path) => {
  for (const method of ["GET", "POST"]) {
    const { status, text } = await call(method, path);
    expect(status).toBe(404);
    expect(text).toContain("UNKNOWN_METHOD");
  }
  expect((await call("GET", "/health/live")).status).toBe(200);
});
