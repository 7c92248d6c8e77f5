import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { RateClass } from "#gen/mesh/v1/options_pb.js";
import { allRpcs, type Rpc } from "../../../envoy/rpcs.ts";
import { grpc, http } from "./client.ts";
import { startMesh, type TestMesh } from "./mesh.ts";

const calls = 200;
const [read, create] = ["GetTask", "CreateTask"].map((name) => `/task.v1.TaskService/${name}`);
const alert: Rpc = {
  ...(allRpcs().find(({ path }) => path === create) as Rpc),
  path: "/task.v1.TaskService/Alarm",
  rateClass: RateClass.URGENT,
  priority: "urgent",
  rest: [{ method: "POST", template: "/v1/tasks:alarm" }],
};
const body = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };

let mesh: TestMesh;
beforeEach(async () => {
  mesh = await startMesh({}, [...allRpcs(), alert]);
});
afterEach(() => mesh.stop());

/** One after the other: how many of them came through, and the last answer of Envoy's own. */
async function throughOf<T>(ask: () => Promise<T>, upstream: { seen: unknown[] }): Promise<{ came: number; own?: T }> {
  const before = upstream.seen.length;
  let own: T | undefined;
  for (let n = 0; n < calls; n += 1) {
    const seen = upstream.seen.length;
    const answer = await ask();
    if (upstream.seen.length === seen) own = answer;
  }
  return { came: upstream.seen.length - before, ...(own !== undefined && { own }) };
}

async function untilAllCome(ask: () => Promise<unknown>, upstream: { seen: unknown[] }): Promise<void> {
  const isWell = async () => (await throughOf(ask, upstream)).came === calls;
  await expect.poll(isWell, { timeout: 20_000 }).toBe(true);
}

describe("while the gateway has too much to do", () => {
  test("most of what it would refuse is refused before it, by REST as a problem that says when to come back", async () => {
    mesh.gatewayHttp.sheds = () => true;
    const { came, own } = await throughOf(() => http(mesh.edge, "/v1/tasks/1"), mesh.gatewayHttp);
    expect(came).toBeGreaterThan(0);
    expect(came).toBeLessThan(calls / 4);
    expect(own).toMatchObject({
      status: 429,
      headers: { "retry-after": "1", "content-type": "application/problem+json", "x-content-type-options": "nosniff" },
    });
    expect(JSON.parse(own?.body ?? "")).toMatchObject({
      status: 429,
      code: "RESOURCE_EXHAUSTED",
      reason: "OVERLOADED",
      requestId: expect.any(String),
    });
  });

  test("by gRPC with the gateway's own status, details and all", async () => {
    mesh.gatewayGrpc.sheds = () => true;
    const { came, own } = await throughOf(() => grpc(mesh.edge, read as string), mesh.gatewayGrpc);
    expect(came).toBeLessThan(calls / 4);
    expect(own).toMatchObject({ status: 200, grpcStatus: 8 });
    const details = fromBinary(StatusSchema, Buffer.from(String(own?.headers["grpc-status-details-bin"]), "base64"));
    expect(details.code).toBe(8);
    const [info] = details.details.map((any) => anyUnpack(any, ErrorInfoSchema));
    expect(info).toMatchObject({ domain: "taskmesh", reason: "OVERLOADED" });
  });

  test("what the gateway takes of a kind is never refused, whatever becomes of the others", async () => {
    mesh.gatewayHttp.sheds = (path) => path.startsWith("/v1/tasks/");
    const reads = throughOf(() => http(mesh.edge, "/v1/tasks/1"), mesh.gatewayHttp);
    const statuses = new Set<number>();
    for (let n = 0; n < calls; n += 1) statuses.add((await http(mesh.edge, "/v1/tasks", body)).status);
    expect(statuses).toEqual(new Set([200]));
    await reads;
  });

  test("urgent calls, health and pages all come to the gateway", async () => {
    mesh.gatewayHttp.sheds = () => true;
    mesh.gatewayGrpc.sheds = () => true;
    const urgent = await throughOf(() => http(mesh.edge, "/v1/tasks:alarm", body), mesh.gatewayHttp);
    const byGrpc = await throughOf(() => grpc(mesh.edge, alert.path), mesh.gatewayGrpc);
    const health = await throughOf(() => http(mesh.edge, "/health"), mesh.gatewayHttp);
    expect([urgent.came, byGrpc.came, health.came]).toEqual([calls, calls, calls]);
  });

  test("about as much as it takes comes to it, and its word about that goes no further", async () => {
    let n = 0;
    // Every third: it can do a third of what is offered.
    mesh.gatewayHttp.sheds = () => n++ % 3 !== 0;
    const answers: Record<string, unknown>[] = [];
    const ask = async () => answers.push((await http(mesh.edge, "/v1/tasks/1")).headers);
    const { came } = await throughOf(ask, mesh.gatewayHttp);
    expect(came).toBeLessThan(calls * 0.8);
    expect(answers.filter((headers) => "x-mesh-shed" in headers)).toEqual([]);
  });

  test("a refusal does not end the connection of a short body", async () => {
    mesh.gatewayHttp.sheds = () => true;
    const { came } = await throughOf(() => http(mesh.edge, "/v1/tasks", body), mesh.gatewayHttp);
    expect(came).toBeLessThan(calls / 4);
    const socket = connectTcp(mesh.edge, "127.0.0.1");
    const request = "POST /v1/tasks HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n";
    for (let n = 0; n < 10; n += 1) {
      socket.write(`${request}{}`);
      const [answer] = (await once(socket, "data")) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 429 /);
    }
    socket.destroy();
  });
});

test("when the gateway takes everything again, so does Envoy", async () => {
  mesh.gatewayHttp.sheds = () => true;
  await throughOf(() => http(mesh.edge, "/v1/tasks/1"), mesh.gatewayHttp);
  mesh.gatewayHttp.sheds = undefined;
  await untilAllCome(() => http(mesh.edge, "/v1/tasks/1"), mesh.gatewayHttp);
});

test("of a gateway that answers nothing only the first few wait, the others are refused at once; when it answers, all come", async () => {
  const gate = Promise.withResolvers<void>();
  mesh.gatewayGrpc.held = gate.promise;
  const answers: number[] = [];
  const ask = async (path = "") => answers.push((await grpc(mesh.edge, path)).grpcStatus);
  const crowd = Array.from({ length: 600 }, () => ask(read));
  // A fifth of the room is kept for changes, and none is needed for what is urgent.
  await expect.poll(() => answers.length + mesh.gatewayGrpc.seen.length, { timeout: 10_000 }).toBe(crowd.length);
  expect(answers.length).toBeGreaterThan(crowd.length / 2);
  expect(new Set(answers)).toEqual(new Set([8]));
  expect(mesh.gatewayGrpc.seen.length).toBeGreaterThanOrEqual(200);
  const urgent = ask(alert.path);
  await expect.poll(() => mesh.gatewayGrpc.seen.at(-1)?.path).toBe(alert.path);
  gate.resolve();
  await Promise.all([...crowd, urgent]);
  await untilAllCome(() => grpc(mesh.edge, read as string), mesh.gatewayGrpc);
});

test("who asks slowly takes nobody's place", async () => {
  const gate = Promise.withResolvers<void>();
  mesh.gatewayGrpc.held = gate.promise;
  const slow = Array.from({ length: 400 }, () => grpc(mesh.edge, read as string));
  await expect.poll(() => mesh.gatewayGrpc.seen.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(200);
  mesh.gatewayGrpc.held = undefined;
  await untilAllCome(() => grpc(mesh.edge, read as string), mesh.gatewayGrpc);
  gate.resolve();
  await Promise.all(slow);
});

test("without the filter every call comes to the gateway", async () => {
  await mesh.stop();
  mesh = await startMesh({ shed: false });
  mesh.gatewayHttp.sheds = () => true;
  const { came } = await throughOf(() => http(mesh.edge, "/v1/tasks/1"), mesh.gatewayHttp);
  expect(came).toBe(calls);
});
