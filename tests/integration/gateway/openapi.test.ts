import { create, fromJson, type JsonObject, type JsonValue, type Message } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openApiDocument } from "../../../gateway/openapi/document.ts";
import type { Example, MediaType, Operation, Parameter, Response, Schema } from "../../../gateway/openapi/model.ts";
import { isExposed, meshServices } from "../../../gateway/services.ts";
import { type Binding, bindingsOfMethod } from "../../../gateway/transcoding/binding.ts";
import { type Edge, startEdge } from "./edge.ts";
import { faultsOf, type Sample } from "./openapi/validator.ts";

const services = Object.values(meshServices);
const document = openApiDocument(services, { version: "1.2.3" });
const bindings = services
  .flatMap(({ methods }) => methods.filter(isExposed).flatMap(bindingsOfMethod))
  .filter(({ method }) => method.methodKind === "unary");
const calls = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation: operation as Operation })),
);
const id = "01932f4e-5c00-7000-8000-3f6a1c2b4d5e";
const problem: Schema = { $ref: "#/components/schemas/Problem" };

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.close());

const callOf = ({ method }: Binding) => {
  const call = calls.find(({ operation }) => operation["x-rpc"] === `${method.parent.typeName}/${method.name}`);
  if (call === undefined) throw new Error(`${method.name} is not in the document`);
  return call;
};
const answerOf = ({ responses }: Operation) =>
  Object.values((responses["200"] as Response).content ?? {})[0] as MediaType;

/** Makes a call as the document says, with its own example. */
async function makeCall({ path, method, operation }: (typeof calls)[number], headers: Record<string, string> = {}) {
  const media = operation.requestBody?.content["application/json"];
  const required = (operation.parameters ?? []).filter(
    (parameter): parameter is Parameter => "in" in parameter && parameter.in === "query" && parameter.required === true,
  );
  const query = new URLSearchParams(required.map(({ name }): [string, string] => [name, "ann@example.com"]));
  const response = await fetch(`${edge.url}${path.replaceAll(/\{[^}]+\}/g, id)}?${query}`, {
    method: method.toUpperCase(),
    headers: { ...headers, ...(media && { "content-type": "application/json" }) },
    ...(media && { body: JSON.stringify(media.example ?? {}) }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as JsonValue };
}

async function callEach(play: (binding: Binding) => Message): Promise<Sample[]> {
  const headers = { authorization: `Bearer ${edge.issuer.token()}` };
  const samples: Sample[] = [];
  for (const binding of bindings) {
    const call = callOf(binding);
    edge.handlers.set(call.operation["x-rpc"], async () => play(binding));
    const { status, body } = await makeCall(call, headers);
    expect(status, `${call.operation.operationId}: ${JSON.stringify(body)}`).toBe(200);
    samples.push([call.operation.operationId, answerOf(call.operation).schema, body]);
  }
  return samples;
}

/** The response whose REST form the document has as an example. */
function exampleResponse(binding: Binding): Message {
  const { method, responseBody } = binding;
  const example = answerOf(callOf(binding).operation).example as JsonObject;
  return fromJson(method.output, responseBody ? { [responseBody.jsonName]: example } : example);
}

describe("the OpenAPI document", () => {
  test("is accepted by openapi-spec-validator, and so are its own examples", async () => {
    const bodies = calls.flatMap(({ operation }): Sample[] => {
      const { schema, example } = operation.requestBody?.content["application/json"] ?? {};
      return schema && example !== undefined ? [[operation.operationId, schema, example]] : [];
    });
    const answers = calls.map(({ operation }): Sample => {
      const { schema, example } = answerOf(operation);
      return [operation.operationId, schema, example];
    });
    const problems = Object.entries(document.components.responses).flatMap(([name, { content }]) =>
      Object.values<Example>(content?.["application/problem+json"]?.examples ?? {}).map(
        ({ value }): Sample => [name, problem, value],
      ),
    );
    expect(bodies.length).toBeGreaterThan(10);
    expect(problems.length).toBeGreaterThan(10);
    expect(await faultsOf(document, [...bodies, ...answers, ...problems])).toEqual([]);
  });

  test("finds fault with what does not fit, so that the above says something", async () => {
    const task: Schema = { $ref: "#/components/schemas/task.v1.Task" };
    const input: Schema = { $ref: "#/components/schemas/task.v1.TaskInput" };
    const broken = { ...document, paths: { "/v1/tasks/{taskId}": { get: { responses: {} } } } };
    expect(await faultsOf(broken as never, [])).not.toEqual([]);
    const faults = await faultsOf(document, [
      ["lacks", task, { title: "Milk" }],
      ["unknown", input, { titel: "Milk" }],
      ["id", input, { projectId: "no uuid" }],
      ["bounds", input, { priority: 9 }],
      ["enum", input, { status: "STATUS_LOST" }],
      ["time", input, { createTime: "yesterday" }],
    ]);
    for (const place of ["lacks", "unknown", "id", "bounds", "enum", "time"]) {
      expect(
        faults.some((fault) => fault.startsWith(`${place}: `)),
        place,
      ).toBe(true);
    }
  });

  test("describes what the edge answers, empty or filled, when it is called as the document says", async () => {
    const empty = await callEach(({ method }) => create(method.output));
    const filled = await callEach(exampleResponse);
    expect(await faultsOf(document, [...empty, ...filled])).toEqual([]);
  });

  test("describes the failures of the edge: their status, their headers and the problem", async () => {
    const samples: Sample[] = [];
    for (const call of calls.filter(({ operation }) => operation.security.length > 0)) {
      const { status, headers, body } = await makeCall(call);
      expect(Object.keys(call.operation.responses)).toContain(String(status));
      expect(headers.get("www-authenticate")).toMatch(/^Bearer /);
      samples.push([call.operation.operationId, problem, body]);
    }
    const headers = { authorization: `Bearer ${edge.issuer.token()}` };
    const unknown = await fetch(`${edge.url}/v1/tasks?colour=red`, { headers });
    expect(unknown.status).toBe(400);
    samples.push(["an unknown parameter", problem, await unknown.json()]);
    expect(await faultsOf(document, samples)).toEqual([]);
  });

  test("[edge.04] is served at the edge as 3.1 with rules and examples, and shown by Scalar from our own origin", async () => {
    const served = await fetch(`${edge.url}/openapi.json`);
    const { openapi, paths, components } = (await served.json()) as typeof document;
    expect(openapi).toBe("3.1.1");
    expect(paths).toEqual(document.paths);
    // The rules of buf.validate: a name of 1 to 100 characters, and scopes out of a closed list.
    expect(components.schemas["auth.v1.CreateApiKeyRequest"]).toMatchObject({
      required: expect.arrayContaining(["name", "scopes"]),
      properties: {
        name: { minLength: 1, maxLength: 100 },
        scopes: { minItems: 1, uniqueItems: true, items: { enum: expect.arrayContaining(["tasks:read"]) } },
      },
    });
    const page = await fetch(`${edge.url}/docs`);
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'nonce-[^']+'; /);
    expect(await page.text()).toContain('src="/docs/scalar.js"');
    const script = await fetch(`${edge.url}/docs/scalar.js`, { headers: { "accept-encoding": "gzip" } });
    expect(script.headers.get("content-encoding")).toBe("gzip");
    expect(await script.text()).toContain("@scalar/api-reference");
  });
});
