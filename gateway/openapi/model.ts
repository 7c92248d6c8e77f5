import type { JsonValue } from "@bufbuild/protobuf";

/** A schema of JSON Schema 2020-12. */
export interface Schema {
  [keyword: string]: JsonValue | Schema | Schema[] | Record<string, Schema> | undefined;
  $ref?: string;
  type?: string | string[];
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  allOf?: Schema[];
  anyOf?: Schema[];
}

export interface Reference {
  $ref: string;
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  description?: string;
  schema: Schema;
}

export interface Example {
  summary?: string;
  value: JsonValue;
}

export interface MediaType {
  schema: Schema;
  example?: JsonValue;
  examples?: Record<string, Example>;
}

export interface Header {
  description: string;
  schema: Schema;
}

export interface Response {
  description: string;
  headers?: Record<string, Header | Reference>;
  content?: Record<string, MediaType>;
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary?: string;
  description?: string;
  parameters?: (Parameter | Reference)[];
  requestBody?: { required: boolean; content: Record<string, MediaType> };
  responses: Record<string, Response | Reference>;
  security: Record<string, string[]>[];
  /** The RPC that is called, for those who would rather call it by gRPC or Connect. */
  "x-rpc": string;
  /** How much of the rate limit a call takes. */
  "x-ratelimit-cost": number;
}

export type PathItem = Partial<Record<"get" | "put" | "post" | "delete" | "options" | "head" | "patch", Operation>>;

/** The part of OpenAPI 3.1 that our documents are made of. */
export interface OpenApiDocument {
  openapi: string;
  info: { title: string; version: string; summary: string; description: string; license: Record<string, string> };
  servers: { url: string }[];
  tags: { name: string; description?: string }[];
  paths: Record<string, PathItem>;
  components: {
    schemas: Record<string, Schema>;
    responses: Record<string, Response>;
    parameters: Record<string, Parameter>;
    headers: Record<string, Header>;
    securitySchemes: Record<string, Record<string, string>>;
  };
}
