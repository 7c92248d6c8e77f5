import { once } from "node:events";
import { connect } from "node:http2";
import { create, createFileRegistry, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { credentials, Client as GrpcClient } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "#gen/grpc/health/v1/health_pb.js";
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "#gen/grpc/reflection/v1/reflection_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { Code } from "../errors.ts";
import type { MalformedMessage } from "./definition.ts";
import { methodDefinition } from "./definition.ts";
import { service } from "./server.ts";
import type { ServiceEntry } from "./service.ts";
import { bearer, startTestMesh, strangersCall, type TestMesh, TestService, testImpl } from "./testing.ts";

let running = Promise.withResolvers<void>();
let release = Promise.withResolvers<void>();
const impl = testImpl({
  open: async ({ value }) => {
    running.resolve();
    await release.promise;
    return { value };
  },
  watch: async function* (_request, { signal }) {
    yield { value: "first" };
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  },
});
/** Real services whose handlers nobody calls here. */
const unanswered = (desc: ServiceEntry["desc"]): ServiceEntry => ({ desc, impl: {} });

let mesh: TestMesh;
beforeEach(async () => {
  running = Promise.withResolvers();
  release = Promise.withResolvers();
  mesh = await startTestMesh([service(TestService, impl), unanswered(TaskService), unanswered(AuthService)]);
});
afterEach(() => mesh.close());

describe("health", () => {
  it("answers for the server and for each service", async () => {
    const health = mesh.client(Health);
    expect((await health.check({})).status).toBe(Serving.SERVING);
    expect((await health.check({ service: "task.v1.TaskService" })).status).toBe(Serving.SERVING);
    await expect(health.check({ service: "task.v1.Other" })).rejects.toMatchObject({ code: Code.NOT_FOUND });
    expect(Object.keys((await health.list({})).statuses)).toContain("mesh.test.v1.TestService");
  });

  it("tells a watcher of each change", async () => {
    const watch = mesh.client(Health).watch({ service: "task.v1.TaskService" })[Symbol.asyncIterator]();
    expect((await watch.next()).value?.status).toBe(Serving.SERVING);
    mesh.server.setServing(false);
    expect((await watch.next()).value?.status).toBe(Serving.NOT_SERVING);
    mesh.server.setServing(true);
    expect((await watch.next()).value?.status).toBe(Serving.SERVING);
    await watch.return?.();
    const unknown = mesh.client(Health).watch({ service: "other" })[Symbol.asyncIterator]();
    expect((await unknown.next()).value?.status).toBe(Serving.SERVICE_UNKNOWN);
    await unknown.return?.();
  });
});

type Wanted = MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"];

/** Asks in one stream, the way grpcurl does. */
function reflect(...wanted: Wanted[]): Promise<ServerReflectionResponse[]> {
  const client = new GrpcClient(`127.0.0.1:${mesh.server.port}`, credentials.createInsecure());
  const method = ServerReflection.method.serverReflectionInfo;
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const answers: ServerReflectionResponse[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<ServerReflectionResponse[]>();
  stream.on("data", (answer: ServerReflectionResponse | MalformedMessage) =>
    answers.push(answer as ServerReflectionResponse),
  );
  stream.on("end", () => resolve(answers));
  stream.on("error", reject);
  for (const messageRequest of wanted) stream.write(create(method.input, { messageRequest }));
  stream.end();
  return promise.finally(() => client.close());
}

function files(answer: ServerReflectionResponse | undefined) {
  if (answer?.messageResponse.case !== "fileDescriptorResponse") throw new Error("no files in the answer");
  const protos = answer.messageResponse.value.fileDescriptorProto;
  return protos.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

/** Each file after those that it imports. */
function inOrder(found: FileDescriptorProto[]): FileDescriptorProto[] {
  const sorted = new Set<FileDescriptorProto>();
  const add = (file: FileDescriptorProto | undefined): void => {
    if (!file || sorted.has(file)) return;
    for (const name of file.dependency) add(found.find((other) => other.name === name));
    sorted.add(file);
  };
  found.forEach(add);
  return [...sorted];
}

describe("reflection", () => {
  it("lists every service, health and itself included", async () => {
    const [answer] = await reflect({ case: "listServices", value: "" });
    expect(answer?.messageResponse.value).toMatchObject({
      service: [
        { name: "auth.v1.AuthService" },
        { name: "grpc.health.v1.Health" },
        { name: "grpc.reflection.v1.ServerReflection" },
        { name: "mesh.test.v1.TestService" },
        { name: "task.v1.TaskService" },
      ],
    });
  });

  it.each([
    "task.v1.TaskService",
    "task.v1.TaskService.CreateTask",
    "task.v1.Task",
    "task.v1.Task.title",
    "mesh.v1.policy",
    "buf.validate.field",
    "google.api.HttpRule",
    "google.protobuf.Timestamp",
    "grpc.health.v1.HealthCheckResponse.ServingStatus",
  ])("gives all files that are needed to describe and to call %s", async (value) => {
    const [answer] = await reflect({ case: "fileContainingSymbol", value });
    const found = files(answer);
    // Throws when a file, or one that it imports, is missing.
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: inOrder(found) }));
    expect([...registry.files]).toHaveLength(found.length);
    const [, message = ""] = /^(.*?)(\.title|\.CreateTask)?$/.exec(value) ?? [];
    expect(registry.get(message)).toBeDefined();
  });

  it("answers in order, and goes on after a question that has no answer", async () => {
    const answers = await reflect(
      { case: "fileByFilename", value: "task/v1/task.proto" },
      { case: "fileByFilename", value: "no/such.proto" },
      { case: "fileContainingSymbol", value: "no.such.Symbol" },
      {
        case: "fileContainingExtension",
        value: { containingType: "google.protobuf.MethodOptions", extensionNumber: 50001 },
      },
      { case: "allExtensionNumbersOfType", value: "google.protobuf.MethodOptions" },
      { case: undefined },
    );
    expect(files(answers[0])[0]?.name).toBe("task/v1/task.proto");
    expect(answers[1]?.messageResponse).toMatchObject({ value: { errorCode: Code.NOT_FOUND } });
    expect(answers[2]?.messageResponse).toMatchObject({ value: { errorCode: Code.NOT_FOUND } });
    expect(files(answers[3])[0]?.name).toBe("mesh/v1/options.proto");
    expect(answers[4]?.messageResponse.value).toMatchObject({ extensionNumber: expect.arrayContaining([50001]) });
    expect(answers[5]?.messageResponse).toMatchObject({ value: { errorCode: Code.INVALID_ARGUMENT } });
  });
});

describe("closing", () => {
  it("answers NOT_SERVING, finishes the calls under way and takes no new ones", async () => {
    const watch = mesh.client(Health).watch({})[Symbol.asyncIterator]();
    await watch.next();
    const call = mesh.client(TestService).open({ value: "under way" });
    await running.promise;
    const closing = mesh.lifecycle.stop();
    expect((await watch.next()).value?.status).toBe(Serving.NOT_SERVING);
    const refused = await strangersCall(mesh.server.port, TestService.method.open);
    expect(refused.code).toBe(Code.UNAVAILABLE);
    release.resolve();
    expect((await call).value).toBe("under way");
    await closing;
  });

  it("sends streams away, so that they go on elsewhere", async () => {
    const stream = mesh
      .client(TestService)
      .watch({}, { headers: bearer(mesh) })
      [Symbol.asyncIterator]();
    await stream.next();
    const next = expect(stream.next()).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    await mesh.lifecycle.stop();
    await next;
  });

  it("answers for what does not end in time", async () => {
    const call = mesh.client(TestService).open({ value: "never" });
    await running.promise;
    const unavailable = expect(call).rejects.toMatchObject({
      code: Code.UNAVAILABLE,
      message: "the server is closing",
    });
    mesh.lifecycle.drainMs = 100;
    const closing = mesh.lifecycle.stop();
    await unavailable;
    await closing;
  });

  it("ends a stream of reflection that its caller keeps open", async () => {
    const client = new GrpcClient(`127.0.0.1:${mesh.server.port}`, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = methodDefinition(
      ServerReflection.method.serverReflectionInfo,
    );
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const ended = new Promise((resolve) => stream.on("end", resolve));
    stream.on("data", () => {});
    const answered = new Promise((resolve) => stream.once("data", resolve));
    const method = ServerReflection.method.serverReflectionInfo;
    stream.write(create(method.input, { messageRequest: { case: "listServices", value: "" } }));
    await answered;
    await mesh.lifecycle.stop();
    await ended;
    client.close();
  });
});

describe("a connection that has reached its age", () => {
  it("takes no new calls, finishes those under way, and sends its streams elsewhere before it is cut", async () => {
    await mesh.close();
    mesh = await startTestMesh([service(TestService, impl)], { connectionAge: { maxMs: 500, graceMs: 2_000 } });
    const connection = connect(`http://127.0.0.1:${mesh.server.port}`);
    connection.on("error", () => {});
    const told = once(connection, "goaway");
    const ended = once(connection, "close");
    // The same channel from first to last: to its callers nothing happens but that streams may come back at once.
    const client = mesh.client(TestService);
    const stream = client.watch({}, { headers: bearer(mesh) })[Symbol.asyncIterator]();
    await stream.next();
    const moved = expect(stream.next()).rejects.toMatchObject({ code: Code.UNAVAILABLE, retryAfterMs: 0 });
    const underWay = client.open({ value: "under way" });
    await running.promise;
    await told;
    release.resolve();
    expect((await underWay).value).toBe("under way");
    await moved;
    await ended;
    expect((await client.forServices({ value: "later" })).value).toBe("later");
  });
});

describe("what is no request", () => {
  it.each([
    ["a truncated field", Buffer.from([0x0a, 0x7f, 0x41])],
    ["an overlong varint", Buffer.alloc(20, 0xff)],
    ["a wrong wire type", Buffer.from([0x0f, 0x01])],
    ["text that is no UTF-8", Buffer.from([0x0a, 0x02, 0xc3, 0x28])],
  ])("is INVALID_ARGUMENT, not a fault of ours: %s", async (_case, bytes) => {
    const status = await strangersCall(mesh.server.port, TestService.method.open, { bytes });
    expect(status.code).toBe(Code.INVALID_ARGUMENT);
  });

  it("does not tell a stranger more than that a token is needed", async () => {
    const status = await strangersCall(mesh.server.port, TestService.method.echo, { bytes: Buffer.from([0xff]) });
    expect(status.code).toBe(Code.UNAUTHENTICATED);
  });
});
