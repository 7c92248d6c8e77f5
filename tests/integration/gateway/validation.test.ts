import { create } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BadRequestSchema } from "#gen/google/rpc/error_details_pb.js";
import { CreateTaskRequestSchema, TaskService, UpdateTaskRequestSchema } from "#gen/task/v1/task_service_pb.js";
import type { ServiceError } from "#kit/errors.ts";
import { mustBeValid } from "#kit/grpc/validation.ts";
import { type Edge, type Protocol, startEdge } from "./edge.ts";

const protocols: Protocol[] = ["Connect JSON", "Connect", "gRPC-Web", "gRPC"];
const taskId = "0190a1b2-0000-7000-8000-000000000001";

let edge: Edge;
let authorization: string;
beforeAll(async () => {
  edge = await startEdge();
  authorization = `Bearer ${edge.issuer.token()}`;
});
afterAll(() => edge.close());
beforeEach(() => {
  edge.arrivals.length = 0;
});

const reached = () => edge.arrivals.filter(({ method }) => method.startsWith("task.")).length;

/** Requests that break rules of their proto: by descriptor, and as REST has them. */
const wrong = [
  {
    name: "CreateTask",
    request: create(CreateTaskRequestSchema, {
      task: { title: "a".repeat(501), priority: 9, labelIds: ["x"], recurrence: { rrule: "R", exdates: ["soon"] } },
      requestId: "no-uuid",
    }),
    call: ["POST", "/v1/tasks?requestId=no-uuid"] as const,
    body: { title: "a".repeat(501), priority: 9, labelIds: ["x"], recurrence: { rrule: "R", exdates: ["soon"] } },
    fields: ["title", "priority", "labelIds[0]", "recurrence.exdates[0]", "requestId"],
  },
  {
    name: "UpdateTask",
    request: create(UpdateTaskRequestSchema, { task: { taskId, etag: "e".repeat(65) }, requestId: "x" }),
    call: ["PATCH", `/v1/tasks/${taskId}?requestId=x`] as const,
    body: { etag: "e".repeat(65) },
    fields: ["etag", "requestId"],
  },
];

describe.each(wrong)("a $name that breaks the rules of its proto", ({ name, request, call, body, fields }) => {
  const method = TaskService.methods.find((each) => each.name === name) as (typeof TaskService.methods)[number];
  /** What the service itself would say. */
  const violations = () => {
    try {
      mustBeValid(method.input, request);
    } catch (error) {
      return (error as ServiceError).fieldViolations;
    }
    throw new Error("the request is valid");
  };

  test.each(protocols)(
    "never leaves the gateway by %s, and is refused in the service's own words",
    async (protocol) => {
      const client = createClient(TaskService, edge.transports[protocol]);
      const sent = client[method.localName as "createTask"](request as never, { headers: { authorization } });
      const failure = ConnectError.from(await sent.catch((error: unknown) => error));
      const said = failure.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
      expect(said.map(({ field, description }) => ({ field, description }))).toEqual(violations());
      expect(reached()).toBe(0);
    },
  );

  test("is answered by REST with the names that its clients know", async () => {
    const [httpMethod, path] = call;
    const response = await fetch(`${edge.url}${path}`, {
      method: httpMethod,
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const problem = (await response.json()) as { fieldViolations: { field: string; description: string }[] };
    expect([response.status, problem.fieldViolations.map(({ field }) => field).sort()]).toEqual([
      400,
      fields.toSorted(),
    ]);
    const words = (all: readonly { description: string }[]) => all.map(({ description }) => description).sort();
    expect(words(problem.fieldViolations)).toEqual(words(violations()));
    expect(reached()).toBe(0);
  });
});

test("a stranger learns nothing about the rules of a request", async () => {
  const response = await fetch(`${edge.url}/v1/tasks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ title: "a".repeat(501) }),
  });
  expect(response.status).toBe(401);
});
