import type { DescField, DescMessage, JsonValue } from "@bufbuild/protobuf";
import { Access } from "#gen/mesh/v1/options_pb.js";
import { policyOf } from "#kit/grpc/policy.ts";
import type { Binding } from "../transcoding/binding.ts";
import { commentOf, firstSentence } from "./comments.ts";
import type { MediaType, Operation, Response, Schema } from "./model.ts";
import { hasEtag, isTaggedRead, parametersOf, resourceOf } from "./parameters.ts";
import { headersOfAll, type Problems } from "./problems.ts";
import type { Schemas, Use } from "./schemas.ts";
import { streamContent } from "./streams.ts";

/** What operations share: they are described in terms of it, and add to it. */
export interface Components {
  schemas: Schemas;
  problems: Problems;
}

export interface Place {
  /** What the path's variables are called. */
  names: readonly string[];
  /** How many bindings of the RPC come before. */
  earlier: number;
}

/** The operation that a binding is. */
export function operationOf(binding: Binding, place: Place, components: Components): Operation {
  const { method } = binding;
  const comment = commentOf(method) ?? "";
  const summary = firstSentence(comment);
  const operation: Operation = {
    operationId: [method.parent.name, method.name, ...(place.earlier > 0 ? [place.earlier + 1] : [])].join("_"),
    tags: [method.parent.name],
    security: policyOf(method)?.access === Access.PUBLIC ? [] : [{ bearer: [] }],
    "x-rpc": `${method.parent.typeName}/${method.name}`,
    "x-ratelimit-cost": policyOf(method)?.cost ?? 1,
    responses: { ...successes(binding, components.schemas), ...components.problems.responses(binding) },
  };
  if (summary !== "") operation.summary = summary;
  if (comment !== "" && comment !== `${summary}.`) operation.description = comment;
  const parameters = parametersOf(binding, place.names, components.schemas);
  if (parameters.length > 0) operation.parameters = parameters;
  const body = requestBody(binding, components.schemas);
  if (body) operation.requestBody = body;
  return operation;
}

function requestBody(binding: Binding, schemas: Schemas): Operation["requestBody"] {
  const { method, body } = binding;
  if (body === undefined) return undefined;
  const use: Use = binding.httpMethod === "PATCH" ? "patch" : "request";
  if (body !== "*") {
    const required = schemas.required(method.input, "request").has(body);
    return { required, content: { "application/json": bodyField(binding, body, use, schemas) } };
  }
  const given = binding.path.flatMap(({ fields: [first, second] }) => (first && !second ? [first] : []));
  const media = messageMedia(method.input, { use, without: given }, schemas);
  const required = [...schemas.required(method.input, use)].some((field) => !given.includes(field));
  return { required, content: { "application/json": media } };
}

function bodyField(binding: Binding, body: DescField, use: Use, schemas: Schemas): MediaType {
  if (body.fieldKind !== "message") return { schema: schemas.field(body, "request") };
  const given = binding.path.flatMap(({ fields: [first, second] }) => (first === body && second ? [second] : []));
  return messageMedia(body.message, { use, without: given }, schemas);
}

function messageMedia(message: DescMessage, shape: { use: Use; without?: DescField[] }, schemas: Schemas): MediaType {
  const schema = schemas.message(message, shape);
  const example = schemas.example(message, shape.use);
  if (example === undefined) return { schema };
  const given = new Set(shape.without?.map(({ jsonName }) => jsonName));
  return { schema, example: Object.fromEntries(Object.entries(example).filter(([name]) => !given.has(name))) };
}

function successes(binding: Binding, schemas: Schemas): Record<string, Response> {
  const { method } = binding;
  const { content, description } = answered(binding, schemas);
  const headers = headersOfAll();
  if (hasEtag(resourceOf(binding))) headers.ETag = { $ref: "#/components/headers/ETag" };
  const unchanged = { "304": { description: "It is the version that the client has.", headers: { ...headers } } };
  if (policyOf(method)?.idempotencyKey) headers["Idempotency-Replayed"] = { $ref: "#/components/headers/Replayed" };
  return { "200": { description, headers, content }, ...(isTaggedRead(binding) ? unchanged : {}) };
}

function answered({ method, responseBody }: Binding, schemas: Schemas): Pick<Response, "content" | "description"> {
  const description = (responseBody && commentOf(responseBody)) || commentOf(method.output) || "OK";
  const media =
    responseBody === undefined
      ? messageMedia(method.output, { use: "answer" }, schemas)
      : fieldMedia(responseBody, schemas);
  if (method.methodKind === "unary") return { description, content: { "application/json": media } };
  return { description, content: streamContent(media) };
}

function fieldMedia(field: DescField, schemas: Schemas): MediaType {
  if (field.fieldKind === "message") return messageMedia(field.message, { use: "answer" }, schemas);
  const schema: Schema = schemas.field(field, "answer");
  const [example] = (schema.examples ?? []) as JsonValue[];
  return example === undefined ? { schema } : { schema, example };
}
