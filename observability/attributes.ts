import type { AttributeName } from "./names.ts";

/** What an attribute may hold. Values come from a closed set or have a form, unless they are free within a bound. */
export interface AttributeDescription {
  type: "string" | "int" | "double" | "boolean";
  description: string;
  /** All values there are. */
  values?: readonly string[];
  /** The form of the values; a string without closed set has one. */
  form?: RegExp;
  /** The least and the greatest number. */
  range?: readonly [number, number];
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** A name that stands in our sources or a proto file: never text of a person. */
const identifier = /^[A-Za-z0-9_.-]{1,100}$/;
const host = /^[A-Za-z0-9.:_-]{1,253}$/;
const millisecondsOfAnHour = 3_600_000;

/**
 * The meaning, the type and the values of every attribute in the table of names. It is for the compiler, the tests and
 * the reader: no program loads it.
 */
export const attributeRegistry = {
  "rpc.system.name": { type: "string", description: "The RPC system", values: ["grpc"] },
  "rpc.method": {
    type: "string",
    description: "The RPC's full name",
    form: /^[a-z_]+(\.[a-z_]+)*\.v\d\w*\.[A-Z]\w+\/[A-Z]\w+$/,
  },
  "rpc.response.status_code": { type: "string", description: "The name of the status", form: /^[A-Z_]{2,20}$/ },
  "server.address": { type: "string", description: "The host of the other end", form: host },
  "server.port": { type: "int", description: "The port of the other end", range: [1, 65_535] },
  "http.request.method": {
    type: "string",
    description: "The method of the request",
    values: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "_OTHER"],
  },
  "http.route": {
    type: "string",
    description: "The template of the path, or * for one that has none",
    form: /^(\*|\/[\w./{}:*-]*)$/,
  },
  "http.response.status_code": { type: "int", description: "The status of the answer", range: [100, 599] },
  "network.protocol.name": { type: "string", description: "The protocol above HTTP", form: identifier },
  "messaging.system": { type: "string", description: "The broker", values: ["kafka"] },
  "messaging.operation.type": { type: "string", description: "What is done", values: ["send", "receive", "process"] },
  "messaging.destination.name": { type: "string", description: "The topic", form: identifier },
  "messaging.destination.partition.id": { type: "string", description: "The partition", form: /^\d{1,5}$/ },
  "messaging.kafka.offset": {
    type: "int",
    description: "Where in the partition the event was first",
    range: [0, Number.MAX_SAFE_INTEGER],
  },
  "messaging.consumer.group.name": { type: "string", description: "Who processes it", form: identifier },
  "messaging.message.id": { type: "string", description: "The id of the event", form: uuid },
  "messaging.batch.message_count": { type: "int", description: "Events that came together", range: [1, 100_000] },
  "db.system.name": { type: "string", description: "The database system", values: ["postgresql"] },
  "db.operation.name": {
    type: "string",
    description: "The kind of statement",
    values: ["SELECT", "INSERT", "UPDATE", "DELETE", "CALL", "COMMIT", "QUERY"],
  },
  "db.collection.name": { type: "string", description: "The first table of the statement", form: identifier },
  "db.namespace": { type: "string", description: "The database", form: identifier },
  "db.client.connection.state": { type: "string", description: "What a connection does", values: ["used", "idle"] },
  "taskmesh.db.server": { type: "string", description: "Which server answers", values: ["primary", "replica"] },
  "error.type": {
    type: "string",
    description: "A status, a reason of mesh.v1.ErrorReason or the class of an error",
    form: identifier,
  },
  "v8js.gc.type": {
    type: "string",
    description: "The kind of collection",
    values: ["major", "minor", "incremental", "weakcb", "other"],
  },
  "otel.component.name": { type: "string", description: "Which part of the tracing SDK", form: /^[\w./-]{1,100}$/ },
  "otel.component.type": { type: "string", description: "The kind of that part", form: identifier },
  "taskmesh.reason": { type: "string", description: "A reason of mesh.v1.ErrorReason", form: /^[A-Z_]{2,60}$/ },
  "taskmesh.caller.kind": { type: "string", description: "Who calls", values: ["anonymous", "user", "service"] },
  "taskmesh.caller.name": { type: "string", description: "Which service calls", form: identifier },
  "taskmesh.user.id": { type: "string", description: "Which user calls", form: uuid },
  "taskmesh.request.id": {
    type: "string",
    description: "The id of the request in the answer and in all logs",
    form: /^[A-Za-z0-9._-]{1,64}$/,
  },
  "taskmesh.deadline.remaining_ms": {
    type: "int",
    description: "What the caller's time has left when the hop begins",
    range: [-millisecondsOfAnHour, 24 * millisecondsOfAnHour],
  },
  "taskmesh.retry.attempt": { type: "int", description: "Which try of a call it is", range: [1, 10] },
  "taskmesh.retry.left": { type: "int", description: "Tries that may follow", range: [0, 10] },
  "taskmesh.priority": {
    type: "string",
    description: "How much a refused call mattered",
    values: ["urgent", "write", "read", "background"],
  },
  "taskmesh.event.type": { type: "string", description: "The fact of the event", form: /^[a-z_]+\.v\d\w*\.[A-Z]\w+$/ },
  "taskmesh.event.attempt": { type: "int", description: "Which try of an event it is", range: [1, 100] },
  "taskmesh.event.outcome": {
    type: "string",
    description: "What became of the try",
    values: ["done", "duplicate", "retried", "parked", "dead"],
  },
  "taskmesh.task.id": { type: "string", description: "Which task", form: uuid },
  "taskmesh.channel": { type: "string", description: "How a person is reached", values: ["email", "webhook", "push"] },
  "taskmesh.outcome": { type: "string", description: "How a thing ended, by a name of ours", form: identifier },
  "taskmesh.limits.name": { type: "string", description: "Which rate limit", form: identifier },
  "taskmesh.limits.store": { type: "string", description: "Where a rate limit counted", values: ["redis", "memory"] },
  "taskmesh.cache.name": {
    type: "string",
    description: "Which cache",
    values: ["access_token", "service_identity", "api_key", "entity_tag", "task_list", "task_stats", "profile"],
  },
  "taskmesh.cache.result": { type: "string", description: "Whether the cache had it", values: ["hit", "miss"] },
} as const satisfies Partial<Record<AttributeName, AttributeDescription>>;

interface ValueTypes {
  string: string;
  int: number;
  double: number;
  boolean: boolean;
}

type Registry = typeof attributeRegistry;

/** The TypeScript type of an attribute's values. */
export type ValueOf<K extends AttributeName> = K extends keyof Registry
  ? ValueTypes[Registry[K]["type"]]
  : string | number | boolean;
