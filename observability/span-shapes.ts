import type { AttributeName } from "./names.ts";

/** A kind of span: how its name looks, what it always says and what it may say. */
export interface SpanShape {
  name: RegExp;
  kind: "internal" | "server" | "client" | "producer" | "consumer";
  requires: readonly AttributeName[];
  may?: readonly AttributeName[];
}

const ledger = ["taskmesh.deadline.remaining_ms", "taskmesh.retry.left"] as const;
const rpcName = /^\w+\.v\d\w*\.\w+\/\w+$/;
const call = ["rpc.system.name", "rpc.method", "rpc.response.status_code"] as const;
const ofEvent = ["messaging.system", "messaging.destination.name", "taskmesh.event.type"] as const;
const received = [...ofEvent, "messaging.destination.partition.id", "messaging.consumer.group.name"] as const;

/** Every span that our processes make has exactly one of these shapes. For tests; no program loads it. */
export const spanShapes: readonly SpanShape[] = [
  {
    name: rpcName,
    kind: "server",
    requires: [...call, "taskmesh.request.id", "taskmesh.caller.kind"],
    may: [
      ...ledger,
      "taskmesh.retry.attempt",
      "taskmesh.priority",
      "taskmesh.caller.name",
      "taskmesh.user.id",
      "error.type",
    ],
  },
  { name: rpcName, kind: "client", requires: call, may: [...ledger, "error.type"] },
  {
    name: /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|WebSocket|HTTP) (\*|\/\S*)$/,
    kind: "server",
    requires: ["http.request.method", "http.route", "http.response.status_code", "taskmesh.request.id"],
    may: ["taskmesh.deadline.remaining_ms", "taskmesh.priority", "error.type"],
  },
  {
    name: /^(SELECT|INSERT|UPDATE|DELETE|CALL|COMMIT|QUERY)( \w+)?$/,
    kind: "client",
    requires: ["db.system.name", "db.namespace", "db.operation.name"],
    may: ["db.collection.name", "error.type"],
  },
  { name: /^outbox wait$/, kind: "internal", requires: ["messaging.destination.name", "taskmesh.event.type"] },
  {
    name: /^send [\w.-]+\.v\d+$/,
    kind: "producer",
    requires: [...ofEvent, "messaging.operation.type", "messaging.message.id"],
    may: ["error.type"],
  },
  { name: /^wait [\w.-]+\.v\d+$/, kind: "internal", requires: received },
  {
    name: /^process [\w.-]+\.v\d+$/,
    kind: "consumer",
    requires: [
      ...received,
      "messaging.operation.type",
      "messaging.kafka.offset",
      "messaging.message.id",
      "taskmesh.event.attempt",
      "taskmesh.event.outcome",
    ],
    may: ["error.type"],
  },
  {
    name: /^receive [\w.-]+\.v\d+$/,
    kind: "client",
    requires: ["messaging.system", "messaging.batch.message_count"],
  },
  {
    name: /^send mail$/,
    kind: "client",
    requires: ["server.address", "server.port"],
    may: ["taskmesh.outcome", "error.type"],
  },
  { name: /^send push$/, kind: "client", requires: [], may: ["taskmesh.outcome", "error.type"] },
  { name: /^send webhook$/, kind: "client", requires: [], may: ["taskmesh.outcome", "error.type"] },
  { name: /^taskmesh [a-z ]+$/, kind: "internal", requires: [], may: ["error.type"] },
];

/** What Envoy writes on its spans, by its own names. */
export const envoySpanAttributes: readonly string[] = [
  "canceled",
  "component",
  "downstream_cluster",
  "error",
  "grpc.authority",
  "grpc.content_type",
  "grpc.message",
  "grpc.path",
  "grpc.status_code",
  "grpc.timeout",
  "guid:x-request-id",
  "http.method",
  "http.protocol",
  "http.status_code",
  "http.url",
  "node_id",
  "peer.address",
  "request_size",
  "response_flags",
  "retry.count",
  "response_size",
  "taskmesh.deadline.remaining",
  "taskmesh.retry.left",
  "upstream_address",
  "upstream_cluster",
  "upstream_cluster.name",
  "user_agent",
  "zone",
];
