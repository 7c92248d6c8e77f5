import { randomBytes, randomUUID } from "node:crypto";
import { request as httpRequest } from "node:http";
import { connect } from "node:http2";
import { WebSocket } from "ws";
import { Person } from "../../_util/person.ts";
import { until } from "../../_util/until.ts";
import { grpcOver } from "../../integration/envoy/client.ts";

/** Calls in which everything that a stranger can choose is a word of its own; what they answer is of no matter. */
export async function attack(edge: string, marker: string): Promise<void> {
  // Whoever was here before may have used up what an address may sign in.
  const person = await until("an account", () => Person.register(edge, `${marker}name`));
  const word = () => `${marker}${randomBytes(4).toString("hex")}`;
  const mail = () => `${word()}@example.org`;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const title = () => ({ title: word(), notes: `call ${mail()}`, labels: [word()] });
  const targets = [
    () => `/${word()}/${randomUUID()}`,
    () => `/v1/tasks/${word()}`,
    () => `/v1/tasks/${word()}:${word()}`,
    () => `/v1/tasks?filter=${word()}&pageToken=${word()}&${word()}=1`,
    () => `/v1/users:lookup?email=${mail()}`,
    () => `/task.v1.TaskService/${word()}`,
    () => `/${word()}.v1.${word()}/GetTask`,
    () => "/task.v1.TaskService/CreateTask",
  ];
  const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY"];
  const types = [
    "application/json",
    "application/grpc-web+proto",
    "application/connect+json",
    "application/proto",
    word(),
  ];
  for (const [index, target] of targets.entries()) {
    const calls = methods.map((method, turn) => {
      const token = [person.token, word(), `${word()}.${word()}.${word()}`][turn % 3] as string;
      const type = types[(index + turn) % types.length] as string;
      const headers = {
        ...bearer(token),
        "content-type": type,
        "user-agent": word(),
        "x-request-id": word(),
        [word()]: word(),
      };
      return send(`${edge}${target()}`, method, headers, JSON.stringify(title()));
    });
    await Promise.all(calls);
  }
  await person.call("POST /v1/tasks", title());
  await person.call("POST /v1/auth/login", { email: mail(), password: word() });
  await person.call("POST /v1/auth/refresh", { refreshToken: word() });
  await person.call("GET /v1/tasks", undefined, { token: `tm_${word()}` });
  await grpc(
    edge,
    [`/task.v1.TaskService/${word()}`, `/${word()}/${word()}`, "/task.v1.TaskService/GetTask"],
    bearer(word()),
  );
  await Promise.all(
    [`/v1/${word()}`, `/v1/live?token=${word()}`].map((path) => socket(edge.replace("http", "ws") + path, word())),
  );
}

/** Undici refuses methods that it does not know, and strangers do not use undici. */
function send(url: string, method: string, headers: Record<string, string>, body: string): Promise<void> {
  return new Promise((resolve) => {
    const request = httpRequest(url, { method, headers: { ...headers, "content-length": Buffer.byteLength(body) } });
    request.once("response", (response) => response.resume().once("close", resolve));
    request.once("error", () => resolve());
    request.end(body);
  });
}

async function grpc(edge: string, paths: readonly string[], headers: Record<string, string>): Promise<void> {
  const session = connect(edge).on("error", () => {});
  const body = (path: string) => Buffer.concat([Buffer.alloc(5), Buffer.from(path)]);
  await Promise.allSettled(paths.map((path) => grpcOver(session, path, headers, body(path))));
  session.close();
}

async function socket(url: string, token: string): Promise<void> {
  const opened = new WebSocket(url, ["taskmesh.v1", `bearer.${token}`]);
  opened.on("error", () => {});
  await new Promise((resolve) => opened.on("close", resolve));
}
