import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BadRequestSchema } from "#gen/google/rpc/error_details_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { type Edge, startEdge } from "./edge.ts";

const taskId = "0190a1b2-0000-7000-8000-000000000001";

let edge: Edge;
let authorization: string;

beforeAll(async () => {
  edge = await startEdge();
  authorization = `Bearer ${edge.issuer.token()}`;
  edge.handlers.set("task.v1.TaskService/CreateTask", async ({ task }) => ({ task }));
  edge.handlers.set("task.v1.TaskService/GetTask", async ({ taskId: id }) => ({ task: { taskId: id } }));
  edge.handlers.set("task.v1.TaskService/ListTasks", async () => ({}));
  edge.handlers.set("task.v1.TaskService/DeleteTask", async () => ({}));
});
afterAll(() => edge.close());
beforeEach(() => {
  edge.arrivals.length = 0;
});

type Body = string | Buffer;

function send(path: string, body: Body, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${edge.url}${path}`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json", ...headers },
    body: body as string,
  });
}

async function problem(response: Promise<Response>) {
  const { status, headers, ...rest } = await response;
  const document = (await (await response).json()) as { fieldViolations?: { field: string }[]; detail: string };
  expect(headers.get("content-type")).toMatch(/^application\/problem\+json/);
  return { ...rest, status, detail: document.detail, fields: document.fieldViolations?.map(({ field }) => field) };
}

const malformedBodies: [string, Body, string][] = [
  ["an unknown field", '{"titel":"x"}', "titel"],
  ["an unknown field inside", '{"due":{"dait":"x"}}', "due.dait"],
  ["a wrong type", '{"priority":"high"}', "priority"],
  ["a number out of range", '{"priority":4000000000}', "priority"],
  ["an unknown enum name", '{"status":"STATUS_LOST"}', "status"],
  ["a list that is none", '{"labelIds":"x"}', "labelIds"],
  ["a wrong item", '{"labelIds":["a",1]}', "labelIds[1]"],
  ["a time that is none", '{"createTime":"soon"}', "createTime"],
  ["a field twice", '{"title":"a","title":"b"}', "title"],
  ["a field under both names", '{"projectId":"a","project_id":"b"}', "projectId"],
  ["malformed JSON", '{"title":"a","priority":}', "priority"],
  ["JSON that ends too early", '{"due":{"date":"2026', "due.date"],
  ["bytes that are no UTF-8", Buffer.from('{"title":"\xff"}', "latin1"), "title"],
  ["a lone surrogate", '{"title":"\\ud800"}', "title"],
  ["depth", `{"title":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, "title"],
  ["no object", "[]", ""],
  ["no object but a number", "7", ""],
];

describe("a malformed body is a 400 that names the field", () => {
  test.each(malformedBodies)("[edge.07] %s", async (_what, body, field) => {
    expect(await problem(send("/v1/tasks", body))).toMatchObject({ status: 400, fields: [field] });
    expect(edge.arrivals.filter(({ method }) => method.startsWith("task."))).toEqual([]);
  });

  test.each(malformedBodies.filter(([what]) => !what.startsWith("no object")))(
    "[edge.07] Connect JSON: %s",
    async (_what, body, field) => {
      const wrapped = Buffer.concat([Buffer.from('{"task":'), Buffer.from(body), Buffer.from("}")]);
      const response = await send("/task.v1.TaskService/CreateTask", wrapped);
      expect(response.status).toBe(400);
      const { code, details } = (await response.json()) as { code: string; details: { type: string; value: string }[] };
      expect(code).toBe("invalid_argument");
      const bad = details.find(({ type }) => type === BadRequestSchema.typeName);
      const named = Buffer.from(bad?.value ?? "", "base64").toString();
      expect(named).toContain(`task.${field.replaceAll(/[A-Z]/g, (upper) => `_${upper.toLowerCase()}`)}`);
      expect(edge.arrivals.filter(({ method }) => method.startsWith("task."))).toEqual([]);
    },
  );

  test("a Connect GET is checked as a POST is", async () => {
    const ask = (json: string) =>
      fetch(`${edge.url}/task.v1.TaskService/GetTask?connect=v1&encoding=json&message=${encodeURIComponent(json)}`, {
        headers: { authorization },
      });
    const good = await ask(JSON.stringify({ taskId }));
    expect(await good.json()).toMatchObject({ task: { taskId } });
    const bad = await ask('{"taskId":["hunter2"]}');
    expect(bad.status).toBe(400);
    const { message, details } = (await bad.json()) as { message: string; details: unknown[] };
    expect(message).toBe("task_id: must be a text");
    expect(details).toHaveLength(2);
  });

  test("a value is never repeated in the answer", async () => {
    const response = await send("/v1/auth/login", '{"email":"a@b.example","password":["hunter2"]}');
    expect(response.status).toBe(400);
    expect(await response.text()).not.toContain("hunter2");
    const connect = await send("/auth.v1.AuthService/Login", '{"email":"a@b.example","password":["hunter2"]}');
    expect(connect.status).toBe(400);
    expect(await connect.text()).not.toContain("hunter2");
    const broken = await send("/v1/auth/login", '{"password":"hunter2');
    expect(await broken.text()).not.toContain("hunter2");
  });

  test("a title of 100,000 characters is refused by the service, and named as the client wrote it", async () => {
    const answer = await problem(send("/v1/tasks", JSON.stringify({ title: "x".repeat(100_000) })));
    expect(answer).toMatchObject({ status: 400, fields: ["title"] });
    const client = createClient(TaskService, edge.transports.gRPC);
    const failure = await client
      .createTask({ task: { title: "x".repeat(100_000) } }, { headers: { authorization } })
      .catch((error: unknown) => ConnectError.from(error));
    if (!(failure instanceof ConnectError)) throw new Error("the call went well");
    expect(failure.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field).toBe("task.title");
  });
});

describe("query and path", () => {
  test.each([
    ["/v1/tasks?pagesize=1", 400, ["pagesize"]],
    ["/v1/tasks?pageSize=many", 400, ["pageSize"]],
    ["/v1/tasks?page_size=1&pageSize=2", 400, ["pageSize"]],
    ["/v1/tasks?pageSize=5000", 400, ["pageSize"]],
    ["/v1/tasks?filter=%ff", 400, ["filter"]],
    ["/v1/tasks/%ff", 400, ["taskId"]],
    ["/v1/tasks/%zz", 400, ["taskId"]],
    ["/v1/tasks/nonsense", 400, ["taskId"]],
    [`/v1/tasks/${taskId}?taskId=x`, 400, ["taskId"]],
    [`/v1/tasks/${"x".repeat(5000)}`, 400, ["taskId"]],
    ["/v1/tasks/a%2Fb", 400, ["taskId"]],
    ["/v1/tasks/%2e%2e", 400, ["taskId"]],
    ["/v1/nothing", 404, undefined],
    ["/v1//tasks", 404, undefined],
    ["/v1/tasks/", 404, undefined],
    ["/v1/tasks;x=1", 404, undefined],
    ["/%2e%2e/v1/tasks", 404, undefined],
    ["/percent-encoded", 404, undefined],
    ["/task.v1.TaskService/Nothing", 404, undefined],
  ])("%s is %i", async (path, status, fields) => {
    const answer = await new Promise<{ status: number; fields: string[] | undefined }>((resolve, reject) => {
      // fetch would put the path in order first.
      const { hostname, port } = new URL(edge.url);
      const request = httpRequest({ host: hostname, port, path, headers: { authorization } }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => {
          const { fieldViolations } = JSON.parse(text);
          resolve({
            status: response.statusCode ?? 0,
            fields: fieldViolations?.map(({ field }: { field: string }) => field),
          });
        });
      });
      request.on("error", reject).end();
    });
    expect(answer).toEqual({ status, fields });
  });

  test("what is encoded without need is read as if it were not", async () => {
    const response = await fetch(`${edge.url}/v1/%74asks/${taskId.replace("0", "%30")}`, {
      headers: { authorization },
    });
    expect(await response.json()).toMatchObject({ taskId });
  });
});

describe("the frame of HTTP", () => {
  test("another method is a 405 that says which there are", async () => {
    const response = await fetch(`${edge.url}/v1/tasks/${taskId}:complete`, { headers: { authorization } });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
    const options = await fetch(`${edge.url}/v1/tasks`, { method: "OPTIONS" });
    expect(options.status).toBe(204);
    expect(options.headers.get("allow")).toBe("POST, GET, HEAD");
  });

  test("HEAD is GET without the body", async () => {
    const response = await fetch(`${edge.url}/v1/tasks/${taskId}`, { method: "HEAD", headers: { authorization } });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("");
  });

  test.each([
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["application/json; charset=latin1", 415],
    ["application/jsonp", 415],
    ["application/json; charset=UTF-8", 200],
    ["Application/JSON", 200],
  ])("content-type %s is %i", async (type, status) => {
    const response = await send("/v1/tasks", '{"title":"a"}', { "content-type": type });
    expect(response.status).toBe(status);
  });

  test("a body in a coding that nobody knows is a 415, one above 1 MiB a 413", async () => {
    expect((await send("/v1/tasks", "x", { "content-encoding": "deflate" })).status).toBe(415);
    const large = JSON.stringify({ title: "x".repeat(1024 * 1024) });
    expect(await problem(send("/v1/tasks", large))).toMatchObject({
      status: 413,
      detail: "the body is larger than 1048576 bytes",
    });
    const connect = await send("/task.v1.TaskService/CreateTask", `{"task":${large}}`);
    expect(await connect.json()).toMatchObject({ code: "resource_exhausted" });
  });

  test("a call without a body takes none, and one with a body may do without", async () => {
    const empty = await fetch(`${edge.url}/v1/tasks`, { method: "POST", headers: { authorization } });
    expect(empty.status).toBe(400);
    const deleted = await fetch(`${edge.url}/v1/tasks/${taskId}`, { method: "DELETE", headers: { authorization } });
    expect(deleted.status).toBe(200);
    const refused = await fetch(`${edge.url}/v1/tasks/${taskId}`, {
      method: "DELETE",
      headers: { authorization, "content-type": "application/json" },
      body: "{}",
    });
    expect(refused.status).toBe(400);
  });

  test("bytes that are no HTTP are answered as a problem", async () => {
    const { hostname, port } = new URL(edge.url);
    const socket = connect(Number(port), hostname);
    socket.end("GET / HTTP/1.1\r\nbroken\r\n\r\n");
    let text = "";
    for await (const chunk of socket.setEncoding("utf8")) text += chunk;
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(text).toContain("application/problem+json");
  });

  test("a header that a call hangs on is refused rather than dropped", async () => {
    const bad = { "idempotency-key": "schlüssel" };
    expect((await send("/v1/tasks", '{"title":"a"}', bad)).status).toBe(400);
    const bare = { "if-match": "v1" };
    const patch = await fetch(`${edge.url}/v1/tasks/${taskId}`, {
      method: "PATCH",
      headers: { authorization, "content-type": "application/json", ...bare },
      body: "{}",
    });
    expect(patch.status).toBe(400);
    expect((await send("/v1/tasks", "{}", { "connect-timeout-ms": "soon" })).status).toBe(400);
  });
});

describe("wire bytes that are no message are INVALID_ARGUMENT", () => {
  const wire = [Buffer.from([0xff, 0xff, 0xff]), Buffer.from("0a05616263", "hex"), Buffer.alloc(1000, 0x0b)];
  const framed = (message: Buffer) =>
    Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]).fill(message.length >> 8, 3, 4);

  test.each(wire)("Connect %#", async (message) => {
    const response = await send("/task.v1.TaskService/CreateTask", message, { "content-type": "application/proto" });
    expect(await response.json()).toMatchObject({ code: "invalid_argument" });
  });

  test.each(wire)("gRPC-Web %#", async (message) => {
    const type = { "content-type": "application/grpc-web+proto" };
    const response = await send("/task.v1.TaskService/CreateTask", framed(message), type);
    expect(await response.text()).toContain("grpc-status: 3");
  });

  test.each(wire)("gRPC %#", async (message) => {
    const session = connectHttp2(edge.grpcUrl);
    const headers = { ":method": "POST", ":path": "/task.v1.TaskService/CreateTask", authorization };
    const stream = session.request({ ...headers, "content-type": "application/grpc+proto", te: "trailers" });
    const status = new Promise((resolve) => {
      stream.once("trailers", (trailers) => resolve(trailers["grpc-status"]));
      stream.once("close", () => resolve("none"));
    });
    stream.resume().end(framed(message));
    expect(await status).toBe("3");
    session.close();
  });
});
