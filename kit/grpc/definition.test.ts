import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ServerReflection } from "#gen/grpc/reflection/v1/reflection_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { MalformedMessage, methodDefinition, methodName, serviceDefinition } from "./definition.ts";
import { TestService } from "./testing.ts";

const { createTask } = TaskService.method;

describe("a definition", () => {
  it("says the path and the kind of a method", () => {
    expect(methodDefinition(createTask)).toMatchObject({
      path: "/task.v1.TaskService/CreateTask",
      requestStream: false,
      responseStream: false,
    });
    expect(methodDefinition(TestService.method.watch)).toMatchObject({ requestStream: false, responseStream: true });
    expect(methodDefinition(ServerReflection.method.serverReflectionInfo)).toMatchObject({
      requestStream: true,
      responseStream: true,
    });
    expect(methodName(createTask)).toBe("task.v1.TaskService/CreateTask");
  });

  it("is made once, and has every method of the service", () => {
    expect(methodDefinition(createTask)).toBe(methodDefinition(createTask));
    expect(Object.keys(serviceDefinition(TaskService))).toEqual(Object.keys(TaskService.method));
  });

  it("turns messages into bytes and back, and bytes that are no message into a value that says so", () => {
    const { requestSerialize, requestDeserialize } = methodDefinition(createTask);
    const message = create(createTask.input, { task: { title: "ünïcode ✓" } });
    expect(requestDeserialize(requestSerialize(message))).toEqual(message);
    expect(requestSerialize(Buffer.from("encoded"))).toEqual(Buffer.from("encoded"));
    expect(requestDeserialize(Buffer.from([0x0a, 0x7f]))).toBeInstanceOf(MalformedMessage);
    // 100,000 messages inside each other.
    expect(requestDeserialize(Buffer.alloc(200_000, 0x0b))).toBeInstanceOf(MalformedMessage);
  });
});
