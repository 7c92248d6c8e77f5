import { create, type DescMessage, fromJson, type JsonObject } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { describe, expect, it } from "vitest";
import { Access } from "#gen/mesh/v1/options_pb.js";
import { policyOf } from "#kit/grpc/policy.ts";
import { conditionHeaders } from "../etag.ts";
import { isExposed, meshServices } from "../services.ts";
import { type Binding, bindingsOfMethod } from "../transcoding/binding.ts";
import { decodeRequest } from "../transcoding/decode-request.ts";
import { compileTestProtos } from "../transcoding/testdata/descriptors.ts";
import { commentOf } from "./comments.ts";
import { openApiDocument } from "./document.ts";
import type { Operation, Parameter, Schema } from "./model.ts";
import { takesIfMatch } from "./parameters.ts";
import { isDemanded } from "./presence.ts";

const services = Object.values(meshServices);
const document = openApiDocument(services, { version: "1.2.3" });
const methods = services.flatMap((service) => service.methods);
const bindings = methods.filter(isExposed).flatMap(bindingsOfMethod);
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation: operation as Operation })),
);
const byName = new Map(operations.map(({ operation }) => [operation.operationId, operation]));

function operationOf({ method }: Binding): Operation {
  return byName.get(`${method.parent.name}_${method.name}`) as Operation;
}

/** What an additional binding adds to the name of its RPC. */
function ordinal(binding: Binding): string {
  const place = bindings.filter(({ method }) => method === binding.method).indexOf(binding);
  return place > 0 ? `_${place + 1}` : "";
}

function example(operation: Operation): JsonObject {
  return operation.requestBody?.content["application/json"]?.example as JsonObject;
}

describe("the OpenAPI document", () => {
  it("has every binding of the RPCs that are served, and none of the internal ones", () => {
    expect([...byName.keys()].sort()).toEqual(
      bindings.map((binding) => `${binding.method.parent.name}_${binding.method.name}${ordinal(binding)}`).sort(),
    );
    for (const method of methods.filter((each) => policyOf(each)?.access === Access.INTERNAL)) {
      expect(JSON.stringify(document)).not.toContain(method.name);
    }
  });

  it("names paths and variables as clients do, with one path for all that can be done there", () => {
    expect(Object.keys(document.paths["/v1/tasks/{taskId}"] ?? {}).sort()).toEqual(["delete", "get", "patch"]);
    expect(document.paths["/v1/tasks/{taskId}:complete"]?.post?.operationId).toBe("TaskService_CompleteTask");
  });

  it("gives every variable of a path a parameter", () => {
    for (const { path, operation } of operations) {
      const inPath = (operation.parameters ?? []).filter(
        (given) => "in" in given && given.in === "path",
      ) as Parameter[];
      expect([...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1])).toEqual(inPath.map(({ name }) => name));
      expect(inPath.every(({ required }) => required)).toBe(true);
    }
  });

  it("takes what it says from the comments of the proto files", () => {
    const { summary, description } = byName.get("TaskService_CreateTask") as Operation;
    expect(summary).toBe("Creates a task that the caller owns");
    expect(description).toBe(`${summary}. ALREADY_EXISTS when the given task_id is taken.`);
    const silent = methods.filter((method) => commentOf(method) === undefined);
    expect(silent).toEqual([]);
    expect(document.components.schemas["task.v1.Task"]?.description).toBe("Something to be done.");
    expect(document.components.schemas["task.v1.Role"]?.description).toContain("- `ROLE_VIEWER`: See it.");
  });

  it("resolves every reference that it makes", () => {
    const text = JSON.stringify(document);
    for (const [, path = ""] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = path.split("/").reduce<unknown>((place, key) => (place as JsonObject | undefined)?.[key], document);
      expect(found, path).toBeDefined();
    }
  });

  it("asks for a token exactly where the policy does", () => {
    for (const binding of bindings) {
      const isPublic = policyOf(binding.method)?.access === Access.PUBLIC;
      expect(operationOf(binding).security).toEqual(isPublic ? [] : [{ bearer: [] }]);
      expect("401" in operationOf(binding).responses || isPublic).toBe(true);
    }
  });

  it("takes a key for each write whose policy says so", () => {
    for (const binding of bindings) {
      const takesKey = JSON.stringify(operationOf(binding)).includes("parameters/IdempotencyKey");
      expect(takesKey).toBe(policyOf(binding.method)?.idempotencyKey);
      expect("422" in operationOf(binding).responses).toBe(takesKey);
    }
  });

  it("takes If-Match where the gateway makes something of it", () => {
    const taking = bindings.filter(takesIfMatch);
    const names = [
      "UpdateMe",
      "UpdateTask",
      "CompleteTask",
      "DeleteTask",
      "ShareTask",
      "MarkRead",
      "UpdateWebhook",
      "DeleteWebhook",
    ];
    expect(taking.map(({ method }) => method.name)).toEqual(names);
    for (const { method } of bindings) {
      const passed = conditionHeaders(method, { "if-match": '"7"' });
      expect("if-match" in passed).toBe(names.includes(method.name));
    }
  });

  it("names the failures that the comments name, with their reasons", () => {
    const { responses } = byName.get("TaskService_UpdateTask") as Operation;
    expect(responses["412"]).toEqual({ $ref: "#/components/responses/412.ETAG_MISMATCH" });
    expect(responses["404"]).toEqual({ $ref: "#/components/responses/404.TASK_NOT_FOUND" });
    expect(document.components.responses["404.TASK_NOT_FOUND"]).toMatchObject({
      description: "Not Found\n\n- `TASK_NOT_FOUND`: No such task, or none that the caller may see.",
      content: {
        "application/problem+json": {
          schema: { $ref: "#/components/schemas/Problem" },
          examples: { TASK_NOT_FOUND: { value: { status: 404, code: "NOT_FOUND", reason: "TASK_NOT_FOUND" } } },
        },
      },
    });
  });

  it("shows the answer that response_body leaves, and its entity tag", () => {
    expect(byName.get("TaskService_GetTask")?.responses["200"]).toMatchObject({
      headers: { ETag: { $ref: "#/components/headers/ETag" } },
      content: { "application/json": { schema: { $ref: "#/components/schemas/task.v1.Task" } } },
    });
  });

  it("answers 304 to a read of what has a version", () => {
    const reads = bindings.filter((binding) => "304" in operationOf(binding).responses);
    expect(reads.map(({ method }) => method.name)).toEqual(["GetMe", "GetTask", "GetWebhook"]);
    expect(JSON.stringify(reads.map(operationOf)).match(/parameters\/IfNoneMatch/g)).toHaveLength(3);
  });

  it("takes a patch without the field that the path names", () => {
    const patch = document.components.schemas["task.v1.TaskPatch"] as Schema;
    expect(patch.properties).not.toHaveProperty("taskId");
    expect(patch.properties?.title?.type).toEqual(["string", "null"]);
  });
});

describe("what is required", () => {
  const validator = createValidator();
  const inputs = [...new Set(bindings.flatMap(({ method }) => messagesWithin(method.input)))];

  it.each(inputs.map((message) => ({ name: message.typeName, message })))(
    "of $name is what protovalidate misses",
    ({ message }) => {
      const { violations = [] } = validator.validate(message, create(message));
      const missed = new Set(
        violations.flatMap(({ field: [first] }) => message.fields.filter((field) => field === first)),
      );
      expect(message.fields.filter(isDemanded).map(({ name }) => name)).toEqual(
        message.fields.filter((field) => missed.has(field)).map(({ name }) => name),
      );
    },
  );
});

describe("examples", () => {
  const validator = createValidator();
  const id = "01932f4e-5c00-7000-8000-3f6a1c2b4d5e";

  it.each(bindings.filter(({ body }) => body !== undefined).map((binding) => ({ name: binding.method.name, binding })))(
    "of $name are requests that are accepted",
    ({ binding }) => {
      const body = Buffer.from(JSON.stringify(example(operationOf(binding))));
      const segments = binding.template.segments.map((segment) => (segment.kind === "literal" ? segment.text : id));
      const message = decodeRequest(binding, { segments, query: "", body });
      expect(validator.validate(binding.method.input, message)).toMatchObject({ kind: "valid" });
    },
  );

  it.each(bindings.map((binding) => ({ name: binding.method.name, binding })))(
    "of $name are answers in JSON",
    ({ binding }) => {
      const { method, responseBody } = binding;
      const success = operationOf(binding).responses["200"];
      const [media] = "content" in success! ? Object.values(success.content ?? {}) : [];
      const answer =
        method.methodKind === "unary" ? media?.example : (media?.example as JsonObject | undefined)?.result;
      const message = responseBody?.message ?? method.output;
      expect(() => fromJson(message, answer as JsonObject)).not.toThrow();
    },
  );
});

describe("bindings of other shapes", () => {
  const { paths } = openApiDocument([compileTestProtos().service], { version: "1", serves: () => true });
  const parameters = (operation?: Operation) => operation?.parameters as Parameter[];

  it("are one path when only their variables are called otherwise", () => {
    expect(Object.keys(paths["/v2/messages/{messageId}"] ?? {})).toEqual(["get"]);
    expect(Object.keys(paths["/v1/every/{text}"] ?? {}).sort()).toEqual(["patch", "put"]);
  });

  it("have operations of their own when a method has several", () => {
    expect(paths["/v2/messages/{messageId}"]?.get?.operationId).toBe("Messaging_GetMessage");
    expect(paths["/v2/users/{userId}/messages/{messageId}"]?.get?.operationId).toBe("Messaging_GetMessage_2");
  });

  it("cover several segments by one variable", () => {
    expect(parameters(paths["/v1/{name}"]?.get)[0]?.schema.pattern).toBe("^messages/[^/]+$");
    expect(parameters(paths["/v5/{name}:copy"]?.post)[0]?.schema.pattern).toBe("^files/.*$");
  });

  it("take from the query every field that is one value, nested ones by their path", () => {
    const names = parameters(paths["/v1/every"]?.get).map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["every.text", "every.numbers", "every.at", "texts", "count", "dryRun"]),
    );
    expect(names.filter((name) => /child|byNumber|counts|shape/.test(name))).toEqual([]);
    expect(parameters(paths["/v2/messages/{messageId}"]?.get).map(({ name }) => name)).toEqual([
      "messageId",
      "revision",
      "sub.subfield",
      "userId",
    ]);
  });

  it("answer with a value that is no message", () => {
    expect(paths["/v1/every/count/{count}"]?.get?.responses["200"]).toMatchObject({
      content: { "application/json": { schema: { type: "integer", format: "int32" } } },
    });
  });
});

function messagesWithin(message: DescMessage, known = new Set<DescMessage>()): DescMessage[] {
  if (known.has(message) || message.typeName.startsWith("google.")) return [];
  known.add(message);
  return [message, ...message.fields.flatMap((field) => (field.message ? messagesWithin(field.message, known) : []))];
}
