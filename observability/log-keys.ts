import type { AttributeDescription } from "./attributes.ts";

type LogKey = Pick<AttributeDescription, "description"> & { type: AttributeDescription["type"] | "list" | "object" };

const text = (description: string): LogKey => ({ type: "string", description });
const count = (description: string): LogKey => ({ type: "int", description });

/**
 * Every key of a log line, beside the attributes of `names.ts`, which mean the same here as on spans. For the tests and
 * the reader; no program loads it. Values are names, ids and numbers of ours, never what a person wrote.
 */
export const logKeys = {
  // On every line
  level: text("trace, debug, info, warn, error or fatal"),
  time: text("When, in UTC (RFC 3339)"),
  "service.name": text("Which service speaks"),
  "service.instance.id": text("Which instance of it"),
  logger: text("Which part of the process"),
  message: text("What happened; the same words each time"),
  // Inside of a call or an event
  trace_id: text("The trace, 32 hexadecimal digits"),
  span_id: text("The span, 16 hexadecimal digits"),
  duration_ms: { type: "double", description: "How long it took, in milliseconds" },
  // Faults
  error: { type: "object", description: "Class, code, scrubbed message, frames and causes of an error" },
  errorClass: text("The kind of an error"),
  code: text("The code of an error of a connection"),
  reason: text("Why, by a name of ours"),
  resource: text("What could not be closed"),
  failures: count("How often since the last such line"),
  endpoint: text("The origin of the collector"),
  address: text("The host and port of a part"),
  // Events
  group: text("The consumer group"),
  topic: text("The topic"),
  partition: count("The partition"),
  offset: text("Where in the partition"),
  eventId: text("The id of the event"),
  type: text("The fact of the event"),
  attempt: count("Which try it is"),
  events: count("How many events"),
  end: text("How a consumer's session ended"),
  namespace: text("Which part of the Kafka client speaks"),
  broker: text("The broker's host and port"),
  source: text("Whose outbox"),
  seconds: { type: "double", description: "The age of the oldest event" },
  what: text("What is left for the next round"),
  // The product
  "taskmesh.session.id": text("Which session"),
  "taskmesh.api_key.id": text("Which API key"),
  "taskmesh.key.id": text("Which signing key"),
  "taskmesh.alert.id": text("Which alert"),
  "taskmesh.tier": text("Which tier an account was put into"),
  "taskmesh.work": text("Which background work"),
  fields: { type: "list", description: "The names of the fields that changed" },
  count: count("How many"),
  skipped: count("How many lines of an import could not be read"),
  migrations: { type: "list", description: "The names of the migrations that ran" },
  limit: count("How many calls may be under way"),
  inFlight: count("How many are"),
  gateways: count("Among how many gateways a limit is divided"),
} as const satisfies Record<string, LogKey>;

/** What Envoy's access log has beside the keys that our processes have. */
export const envoyLogKeys: readonly string[] = [
  "attempts",
  "bytes_received",
  "bytes_sent",
  "connection_id",
  "details",
  "flags",
  "grpc_status",
  "method",
  "path",
  "protocol",
  "remote_address",
  "request_id",
  "status",
  "upstream_cluster",
  "upstream_host",
];
