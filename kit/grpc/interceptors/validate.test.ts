import {
  create,
  type DescFile,
  type DescMessage,
  type DescMethod,
  getOption,
  hasOption,
  type Message,
  toJsonString,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { Metadata } from "@grpc/grpc-js";
import { describe, expect, it, vi } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { FieldRulesSchema, field as fieldRules } from "#gen/buf/validate/validate_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Code } from "../../errors.ts";
import { MalformedMessage } from "../definition.ts";
import { ServerCall } from "../server-call.ts";
import { prepareValidation } from "../validation.ts";
import { validate } from "./validate.ts";

function check(method: DescMethod, request: Message | MalformedMessage) {
  const next = vi.fn(async () => Buffer.from("passed"));
  const call = new ServerCall(method, new Metadata(), Number.POSITIVE_INFINITY);
  return { next, result: validate.wrap(next)(call, request) };
}

const { createTask, listTasks } = TaskService.method;
const requests = [AuthService, NotificationService, TaskService, UserService].flatMap((service) =>
  service.methods.map((method): [string, DescMessage] => [method.input.typeName, method.input]),
);

describe("validate", () => {
  it("lets a good request pass", async () => {
    const { result } = check(createTask, create(createTask.input, { task: { title: "Buy milk", priority: 3 } }));
    await expect(result).resolves.toEqual(Buffer.from("passed"));
  });

  it("names every field that breaks a rule, by its path in the request and in proto names", async () => {
    const task = { title: "a\nb", priority: 9, labelIds: ["no-uuid"], description: "\0" };
    const { next, result } = check(createTask, create(createTask.input, { task }));
    const error = await result.catch((thrown) => thrown);
    expect(error).toMatchObject({ code: Code.INVALID_ARGUMENT, reason: ErrorReason.INVALID_FIELD });
    const fields = error.fieldViolations.map(({ field }: { field: string }) => field).sort();
    expect(fields).toEqual(["task.description", "task.label_ids[0]", "task.priority", "task.title"]);
    for (const { description } of error.fieldViolations) expect(description).not.toBe("");
    expect(next).not.toHaveBeenCalled();
  });

  it("names a field that is missing", async () => {
    const { result } = check(createTask, create(createTask.input, {}));
    await expect(result).rejects.toMatchObject({ fieldViolations: [{ field: "task" }] });
    const { result: page } = check(listTasks, create(listTasks.input, { pageSize: -1 }));
    await expect(page).rejects.toMatchObject({ fieldViolations: [{ field: "page_size" }] });
  });

  it("refuses what is no message", async () => {
    const { result } = check(createTask, new MalformedMessage(new Error("premature EOF")));
    await expect(result).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT, reason: ErrorReason.INVALID_FIELD });
  });

  it("takes a text as long as it may be", async () => {
    const task = { title: "t", description: "d".repeat(16_384) };
    await expect(check(createTask, create(createTask.input, { task })).result).resolves.toBeDefined();
  });

  it.each(requests)("has its rules ready for %s", (_name, desc) => {
    expect(() => prepareValidation(desc)).not.toThrow();
  });

  it("can compile every pattern of the protos", () => {
    const patterns = requests.flatMap(([, { file }]) => patternsOf(file));
    expect(patterns.length).toBeGreaterThan(0);
    for (const pattern of patterns) expect(() => new RegExp(pattern, "u")).not.toThrow();
  });
});

function patternsOf(file: DescFile): string[] {
  const types = [file, ...file.dependencies].flatMap((each) => [...nestedTypes(each)]);
  const fields = types.flatMap((type) => (type.kind === "message" ? type.fields : []));
  const rules = fields.filter((field) => hasOption(field, fieldRules)).map((field) => getOption(field, fieldRules));
  return rules.flatMap((rule) => {
    const text = toJsonString(FieldRulesSchema, rule);
    return [...text.matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(([, pattern = '""']) => JSON.parse(pattern));
  });
}
