import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { allRpcs } from "../../../envoy/rpcs.ts";
import { grpc } from "./client.ts";
import { startMesh, type TestMesh } from "./mesh.ts";
import { type GrpcUpstream, startGrpcUpstream } from "./upstream.ts";

const unavailable = 14;
const deadlineExceeded = 4;
const read = "/task.v1.TaskService/GetTask";
const write = "/task.v1.TaskService/CreateTask";

describe("the mesh listener", () => {
  let mesh: TestMesh;
  let other: GrpcUpstream;
  beforeAll(async () => {
    mesh = await startMesh();
  });
  afterAll(() => mesh?.stop());
  beforeEach(async () => {
    other = await startGrpcUpstream();
    for (const service of [...Object.values(mesh.services), other])
      Object.assign(service, { answer: 0, serving: true, held: undefined });
    await mesh.setEndpoints("task", [mesh.services.task]);
    await mesh.untilHealthy("task", 1);
    for (const service of Object.values(mesh.services)) service.seen.length = 0;
    return () => other.stop();
  });

  const both = async () => {
    await mesh.setEndpoints("task", [mesh.services.task, other]);
    await mesh.untilHealthy("task", 2);
  };
  const call = async (path: string, times: number) => {
    const statuses: number[] = [];
    for (let index = 0; index < times; index++) statuses.push((await grpc(mesh.mesh, path)).grpcStatus);
    return statuses;
  };

  test.each(allRpcs().map(({ path, cluster }) => [path, cluster] as const))("sends %s to %s", async (path, cluster) => {
    expect(await grpc(mesh.mesh, path)).toMatchObject({ grpcStatus: 0 });
    const reached = Object.entries(mesh.services).filter(([, service]) => service.seen.length > 0);
    expect(reached.map(([name]) => name)).toEqual([cluster]);
  });

  test("knows the health of each service by name, and no other path", async () => {
    await grpc(mesh.mesh, "/grpc.health.v1.Health/Check", { "x-mesh-target": "user" });
    expect(mesh.services.user.seen).toHaveLength(1);
    expect(await grpc(mesh.mesh, "/grpc.health.v1.Health/Check")).toMatchObject({ grpcStatus: 12 });
    expect(await grpc(mesh.mesh, "/nobody.v1.Service/Call")).toMatchObject({ grpcStatus: 12 });
  });

  test("passes identity, token, trace and deadline on unchanged", async () => {
    const headers = {
      "x-mesh-identity": "svc",
      authorization: "Bearer abc",
      "x-request-id": "given",
      "grpc-timeout": "700m",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    await grpc(mesh.mesh, read, headers);
    expect(mesh.services.task.seen[0]?.headers).toMatchObject(headers);
  });

  test("gives a new instance its share and an old one none, without a restart", async () => {
    await both();
    await call(write, 40);
    expect(other.seen.length).toBeGreaterThan(5);
    expect(mesh.services.task.seen.length).toBeGreaterThan(5);
    await mesh.setEndpoints("task", [other]);
    await mesh.untilHealthy("task", 1);
    mesh.services.task.seen.length = 0;
    expect(await call(write, 20)).toEqual(Array(20).fill(0));
    expect(mesh.services.task.seen).toEqual([]);
  });

  test("sends nothing to an instance that says NOT_SERVING, and something again once it serves", async () => {
    await both();
    other.serving = false;
    await mesh.untilHealthy("task", 1);
    other.seen.length = 0;
    expect(await call(write, 20)).toEqual(Array(20).fill(0));
    expect(other.seen).toEqual([]);
    other.serving = true;
    await mesh.untilHealthy("task", 2);
    await call(write, 40);
    expect(other.seen.length).toBeGreaterThan(5);
  });

  test("answers at once when no instance serves, and never asks one that does not", async () => {
    mesh.services.task.serving = false;
    await mesh.untilHealthy("task", 0);
    expect(await call(write, 3)).toEqual(Array(3).fill(unavailable));
    expect(mesh.services.task.seen).toEqual([]);
  });

  test.each([[unavailable], [13]] as const)("takes out an instance that only fails (%s)", async (answer) => {
    await both();
    other.answer = answer;
    const calledAndEjected = async () => {
      await call(write, 1);
      return mesh.stat("cluster.task.outlier_detection.ejections_active");
    };
    await expect.poll(calledAndEjected, { timeout: 10_000, interval: 5 }).toBe(1);
    expect(other.seen.length).toBeLessThan(15);
    other.seen.length = 0;
    expect(await call(write, 10)).toEqual(Array(10).fill(0));
    expect(other.seen).toEqual([]);
  });

  test("never takes out the only instance", async () => {
    mesh.services.task.answer = unavailable;
    await call(write, 8);
    mesh.services.task.answer = 0;
    expect(await call(write, 1)).toEqual([0]);
  });

  test.each([[unavailable], ["reset"]] as const)(
    "tries a call that may run twice once more (%s), elsewhere",
    async (answer) => {
      await both();
      other.answer = answer;
      // Which instance is asked first is left to chance.
      let calls = 0;
      while (other.seen.length === 0 && ++calls < 100) expect(await call(read, 1)).toEqual([0]);
      expect(other.seen).toHaveLength(1);
      expect(mesh.services.task.seen).toHaveLength(calls);
    },
  );

  test.each([[unavailable], ["reset"]] as const)("never runs another call twice (%s)", async (answer) => {
    mesh.services.task.answer = answer;
    await call(write, 2);
    expect(mesh.services.task.seen).toHaveLength(2);
  });

  test("sends a read that nobody has answered yet to another instance too, and takes what comes first; no change", async () => {
    await both();
    const instances = [mesh.services.task, other];
    const holds = instances.map(() => Promise.withResolvers<void>());
    for (const [index, instance] of instances.entries()) instance.held = holds[index]?.promise;
    const change = call(write, 1);
    const answered = call(read, 1);
    const tries = (path: string) =>
      instances.map(({ seen }) =>
        seen.filter((each) => each.path === path).map(({ headers }) => headers["x-envoy-attempt-count"]),
      );
    await expect.poll(() => tries(read).flat().sort(), { timeout: 20_000 }).toEqual(["1", "2"]);
    expect(tries(write).flat()).toEqual(["1"]);
    const first = tries(read).findIndex(([attempt]) => attempt === "1");
    // The second instance does not answer: the first one, which was slow, still may.
    holds[first]?.resolve();
    expect(await answered).toEqual([0]);
    holds[1 - first]?.resolve();
    expect(await change).toEqual([0]);
    expect(tries(write).flat()).toEqual(["1"]);
  });

  test("answers every read in time though an instance hangs", async () => {
    await both();
    other.answer = "hang";
    const reads = await Promise.all(Array.from({ length: 6 }, () => call(read, 1)));
    expect(reads.flat()).toEqual(Array(6).fill(0));
    expect(other.seen.length).toBeGreaterThan(0);
  });

  test("makes two tries at most", async () => {
    mesh.services.task.answer = unavailable;
    expect(await call(read, 1)).toEqual([unavailable]);
    expect(mesh.services.task.seen).toHaveLength(2);
  });

  test("loses no call, also not one that creates, when an instance is gone before Envoy knows", async () => {
    await both();
    await other.stop();
    expect(await call(write, 10)).toEqual(Array(10).fill(0));
    expect(mesh.services.task.seen).toHaveLength(10);
    other = await startGrpcUpstream();
  });

  test("ends a call at the caller's deadline when the service does not", async () => {
    mesh.services.task.answer = "hang";
    const { grpcStatus } = await grpc(mesh.mesh, write, { "grpc-timeout": "150m" });
    expect([deadlineExceeded, unavailable]).toContain(grpcStatus);
  });

  test("breaks no circuit under many calls at once", async () => {
    await Promise.all(Array.from({ length: 300 }, () => grpc(mesh.mesh, read)));
    expect(await mesh.stat("cluster.task.upstream_rq_pending_overflow")).toBe(0);
    expect(mesh.services.task.seen).toHaveLength(300);
  });
});
