/**
 * Every span name, attribute and metric of the project. Names of OpenTelemetry's semantic conventions come first;
 * an own name starts with `taskmesh.` and is used only where the conventions have none.
 * The types below make a name that is not here a compile error.
 */

import type { ValueOf } from "./attributes.ts";
import { batches, type Instrument, type MetricDescription, seconds, waits } from "./instruments.ts";

// Spans

/** The shapes that a span's name may have. Parts in `${}` are from closed sets: methods, topics, tables, routes. */
export type SpanName =
  | `${string}.${string}/${string}` // an RPC, both sides: task.v1.TaskService/CreateTask
  | `${"GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "TRACE" | "WebSocket" | "HTTP"} ${string}` // an HTTP route at the gateway
  | `${StatementKind} ${string}` // the database, with the first table
  | StatementKind // and without one
  | "outbox wait" // from the commit of an event until the relay picks it up
  | `${"send" | "process" | "receive" | "wait"} ${string}` // Kafka: wait = from the broker's time stamp until it is processed
  | `send ${"mail" | "webhook" | "push"}`
  | `taskmesh ${string}`; // anything else that is worth a span

type StatementKind = "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "CALL" | "COMMIT" | "QUERY";

// Attributes

type Values<T> = T[keyof T];

/** Attributes of spans and metrics; no text that a person wrote, no secret and no mail address is ever a value. */
export const attributes = {
  // RPC
  rpcSystem: "rpc.system.name",
  rpcMethod: "rpc.method",
  rpcStatus: "rpc.response.status_code",
  // The other end of a connection
  serverAddress: "server.address",
  serverPort: "server.port",
  // HTTP, at the gateway
  httpMethod: "http.request.method",
  httpRoute: "http.route",
  httpStatus: "http.response.status_code",
  httpProtocol: "network.protocol.name",
  // Messaging
  messagingSystem: "messaging.system",
  messagingOperation: "messaging.operation.type",
  messagingDestination: "messaging.destination.name",
  messagingPartition: "messaging.destination.partition.id",
  messagingOffset: "messaging.kafka.offset",
  messagingConsumerGroup: "messaging.consumer.group.name",
  messagingMessageId: "messaging.message.id",
  messagingBatchSize: "messaging.batch.message_count",
  // Database and Redis
  dbSystem: "db.system.name",
  dbOperation: "db.operation.name",
  dbCollection: "db.collection.name",
  dbNamespace: "db.namespace",
  dbPoolState: "db.client.connection.state",
  dbServer: "taskmesh.db.server",
  // Errors: a status name, a reason of mesh.v1.ErrorReason or a class name; never a message
  errorType: "error.type",
  // Runtime
  gcType: "v8js.gc.type",
  // The tracing SDK's own
  otelComponentName: "otel.component.name",
  otelComponentType: "otel.component.type",
  // Ours: calls
  reason: "taskmesh.reason",
  callerKind: "taskmesh.caller.kind",
  callerName: "taskmesh.caller.name",
  userId: "taskmesh.user.id",
  requestId: "taskmesh.request.id",
  // Ours: what a hop has left when it begins: milliseconds of the caller's time, which try it is, and further tries
  deadlineRemaining: "taskmesh.deadline.remaining_ms",
  retryAttempt: "taskmesh.retry.attempt",
  retryLeft: "taskmesh.retry.left",
  // Ours: how much a call mattered that was refused
  priority: "taskmesh.priority",
  // Ours: events
  eventType: "taskmesh.event.type",
  eventAttempt: "taskmesh.event.attempt",
  eventOutcome: "taskmesh.event.outcome",
  // Ours: things that happen in the product
  taskId: "taskmesh.task.id",
  channel: "taskmesh.channel",
  outcome: "taskmesh.outcome",
  // Ours: caches
  cacheName: "taskmesh.cache.name",
  cacheResult: "taskmesh.cache.result",
  // Ours: rate limits
  limit: "taskmesh.limits.name",
  store: "taskmesh.limits.store",
} as const;

export type AttributeName = Values<typeof attributes>;
/** Only names of the table above, with values of the type that `attributes.ts` gives them. */
export type SpanAttributes = { [K in AttributeName]?: ValueOf<K> | undefined };

// Metrics

export const metrics = {
  // RPC
  "rpc.server.call.duration": {
    kind: "histogram",
    description: "Time that a call took at the service",
    unit: "s",
    attributes: ["rpc.method", "rpc.response.status_code", "error.type"],
    buckets: seconds,
  },
  "rpc.client.call.duration": {
    kind: "histogram",
    description: "Time that a call took as its caller saw it",
    unit: "s",
    attributes: ["rpc.method", "rpc.response.status_code", "error.type"],
    buckets: seconds,
  },
  // Gateway
  "http.server.request.duration": {
    kind: "histogram",
    description: "Time that a request took at the gateway",
    unit: "s",
    attributes: ["http.request.method", "http.route", "http.response.status_code", "network.protocol.name"],
    buckets: seconds,
  },
  "http.server.active_requests": { kind: "upDownCounter", description: "Requests under way", unit: "{request}" },
  "taskmesh.limits.calls": {
    kind: "counter",
    description: "Calls that the rate limits counted, in Redis or in the memory of this process",
    unit: "{call}",
    attributes: ["taskmesh.limits.store", "taskmesh.outcome"],
  },
  "taskmesh.limits.refusals": {
    kind: "counter",
    description: "Calls refused by a rate limit",
    unit: "{call}",
    attributes: ["taskmesh.limits.name"],
  },
  "taskmesh.gateway.streams": {
    kind: "upDownCounter",
    description: "Streams and sockets that are open at the gateway",
    unit: "{stream}",
    attributes: ["network.protocol.name"],
  },
  // Overload
  "taskmesh.overload.limit": { kind: "observed", description: "Calls that may be under way just now", unit: "{call}" },
  "taskmesh.overload.in_flight": { kind: "observed", description: "Calls under way", unit: "{call}" },
  "taskmesh.overload.shed_calls": {
    kind: "counter",
    description: "Refused",
    unit: "{call}",
    attributes: ["taskmesh.priority"],
  },
  "taskmesh.breaker.open": { kind: "upDownCounter", description: "Open", unit: "1", attributes: ["rpc.method"] },
  "taskmesh.breaker.opened": { kind: "counter", description: "Openings", unit: "1", attributes: ["rpc.method"] },
  // Caches
  "taskmesh.cache.lookups": {
    kind: "counter",
    description: "Looks into a cache, by whether it helped",
    unit: "{lookup}",
    attributes: ["taskmesh.cache.name", "taskmesh.cache.result"],
  },
  // Database
  "db.client.operation.duration": {
    kind: "histogram",
    description: "Time that a database operation took",
    unit: "s",
    attributes: ["db.operation.name", "db.collection.name", "error.type"],
    buckets: seconds,
  },
  "db.client.connection.count": {
    kind: "observed",
    description: "Connections of the pool",
    unit: "{connection}",
    attributes: ["db.client.connection.state"],
  },
  "db.client.connection.max": {
    kind: "observed",
    description: "Connections that the pool may have",
    unit: "{connection}",
  },
  "db.client.connection.pending_requests": {
    kind: "observed",
    description: "Callers that wait for a connection",
    unit: "{request}",
  },
  "taskmesh.db.reads": {
    kind: "counter",
    description: "Reads that a replica may answer, by who did",
    unit: "{call}",
    attributes: ["taskmesh.db.server"],
  },
  "taskmesh.db.replica.lag": {
    kind: "observed",
    description: "How old the data of the replica may be, as the process has seen",
    unit: "s",
  },
  // Outbox and events
  "taskmesh.outbox.lag": { kind: "gauge", description: "Age of the oldest event that is not sent", unit: "s" },
  "taskmesh.outbox.sent": {
    kind: "counter",
    description: "Events that the relay sent",
    unit: "{event}",
    attributes: ["messaging.destination.name"],
  },
  "taskmesh.outbox.batch": { kind: "histogram", description: "Events in a batch", unit: "{event}", buckets: batches },
  "taskmesh.outbox.wait": {
    kind: "histogram",
    description: "From the commit of an event until it is sent",
    unit: "s",
    buckets: waits,
  },
  "taskmesh.outbox.failures": {
    kind: "counter",
    description: "Batches that could not be sent",
    unit: "{batch}",
    attributes: ["error.type"],
  },
  "taskmesh.outbox.leader": { kind: "gauge", description: "1 where the relay is the active one", unit: "1" },
  "taskmesh.consumer.in_flight": {
    kind: "upDownCounter",
    description: "Events that are being handled",
    unit: "{event}",
    attributes: ["messaging.consumer.group.name"],
  },
  "taskmesh.consumer.assigned": {
    kind: "observed",
    description: "1 for each partition that this process owns",
    unit: "1",
    attributes: ["messaging.consumer.group.name", "messaging.destination.name", "messaging.destination.partition.id"],
  },
  "taskmesh.consumer.lag": {
    kind: "observed",
    description: "Events of an owned partition that are not handled yet",
    unit: "{event}",
    attributes: ["messaging.consumer.group.name", "messaging.destination.name", "messaging.destination.partition.id"],
  },
  "taskmesh.consumer.offset": {
    kind: "observed",
    description: "The event that comes next in an owned partition: it rises while there is progress",
    unit: "{event}",
    attributes: ["messaging.consumer.group.name", "messaging.destination.name", "messaging.destination.partition.id"],
  },
  "messaging.process.duration": {
    kind: "histogram",
    description: "Time that an event's handler took",
    unit: "s",
    attributes: ["messaging.consumer.group.name", "messaging.destination.name", "taskmesh.event.outcome"],
    buckets: seconds,
  },
  "taskmesh.event.age": {
    kind: "histogram",
    description: "From the occurrence of an event until its effect is committed",
    unit: "s",
    attributes: ["messaging.consumer.group.name"],
    buckets: waits,
  },
  "taskmesh.event.retries": {
    kind: "counter",
    description: "Events sent to a retry topic",
    unit: "{event}",
    attributes: ["messaging.consumer.group.name", "taskmesh.event.attempt"],
  },
  "taskmesh.event.dead_letters": {
    kind: "counter",
    description: "Events given up and kept as dead letters",
    unit: "{event}",
    attributes: ["messaging.consumer.group.name", "error.type"],
  },
  "taskmesh.event.dead_letters_waiting": {
    kind: "gauge",
    description: "Dead letters that were not sent back, in the group's database",
    unit: "{event}",
    attributes: ["messaging.consumer.group.name"],
  },
  "taskmesh.event.redriven": {
    kind: "counter",
    description: "Dead letters sent back to their group",
    unit: "{event}",
    attributes: ["messaging.consumer.group.name"],
  },
  "taskmesh.event.duplicates": {
    kind: "counter",
    description: "Events seen again and left alone",
    unit: "{event}",
    attributes: ["messaging.consumer.group.name"],
  },
  // Auth
  "taskmesh.auth.logins": {
    kind: "counter",
    description: "Logins",
    unit: "{login}",
    attributes: ["taskmesh.outcome"],
  },
  "taskmesh.auth.registrations": { kind: "counter", description: "Accounts made", unit: "{account}" },
  "taskmesh.auth.token_refreshes": {
    kind: "counter",
    description: "Refreshes of tokens",
    unit: "{refresh}",
    attributes: ["taskmesh.outcome"],
  },
  "taskmesh.auth.token_reuse": { kind: "counter", description: "Stolen refresh tokens recognised", unit: "{token}" },
  "taskmesh.auth.hash.duration": {
    kind: "histogram",
    description: "Time that hashing a password took, its queue included",
    unit: "s",
    buckets: seconds,
  },
  // Users
  "taskmesh.user.created": { kind: "counter", description: "Profiles made", unit: "{user}" },
  "taskmesh.user.updated": { kind: "counter", description: "Profiles changed", unit: "{user}" },
  // Tasks
  "taskmesh.task.created": { kind: "counter", description: "Tasks made", unit: "{task}" },
  "taskmesh.task.updated": { kind: "counter", description: "Tasks changed", unit: "{task}" },
  "taskmesh.task.completed": { kind: "counter", description: "Tasks completed", unit: "{task}" },
  "taskmesh.task.deleted": { kind: "counter", description: "Tasks deleted", unit: "{task}" },
  "taskmesh.task.shared": { kind: "counter", description: "Tasks shared", unit: "{share}" },
  "taskmesh.task.imported": { kind: "counter", description: "Tasks imported", unit: "{task}" },
  "taskmesh.task.comments": { kind: "counter", description: "Comments written", unit: "{comment}" },
  "taskmesh.task.reminders": { kind: "counter", description: "Reminders set or snoozed", unit: "{reminder}" },
  // Notifications
  "taskmesh.notification.created": {
    kind: "counter",
    description: "Notifications put in inboxes",
    unit: "{notification}",
  },
  "taskmesh.notification.read": { kind: "counter", description: "Notifications read", unit: "{notification}" },
  "taskmesh.notification.watches": { kind: "upDownCounter", description: "Inboxes watched", unit: "{stream}" },
  "taskmesh.notification.alerts": {
    kind: "counter",
    description: "Alerts raised and acknowledged, and notices repeated",
    unit: "{alert}",
    attributes: ["taskmesh.outcome"],
  },
  "taskmesh.notification.deliveries": {
    kind: "counter",
    description: "Deliveries by channel",
    unit: "{delivery}",
    attributes: ["taskmesh.channel", "taskmesh.outcome"],
  },
  // Reminders
  "taskmesh.scheduler.leader": { kind: "gauge", description: "1 where reminders are sent from", unit: "1" },
  "taskmesh.scheduler.lag": { kind: "gauge", description: "How late the oldest reminder is", unit: "s" },
  "taskmesh.scheduler.fired": { kind: "counter", description: "Reminders that came", unit: "{reminder}" },
  "taskmesh.scheduler.missed": { kind: "counter", description: "Reminders dropped as too late", unit: "{reminder}" },
  // Tracing
  "otel.sdk.processor.span.processed": {
    kind: "counter",
    description: "Spans that were sent, or with an error type that were not",
    unit: "{span}",
    attributes: ["otel.component.name", "otel.component.type", "error.type"],
  },
  "otel.sdk.processor.span.queue.capacity": {
    kind: "upDownCounter",
    description: "Spans that may wait to be sent",
    unit: "{span}",
    attributes: ["otel.component.name", "otel.component.type"],
  },
  "otel.sdk.processor.span.queue.size": {
    kind: "observed",
    description: "Spans that wait to be sent",
    unit: "{span}",
    attributes: ["otel.component.name", "otel.component.type"],
  },
  // Process
  "nodejs.eventloop.delay.p50": { kind: "observed", description: "Median delay of the event loop", unit: "s" },
  "nodejs.eventloop.delay.p99": { kind: "observed", description: "99th percentile of the delay", unit: "s" },
  "nodejs.eventloop.delay.max": { kind: "observed", description: "Longest delay since the last reading", unit: "s" },
  "nodejs.eventloop.utilization": { kind: "observed", description: "Share of time that the loop was busy", unit: "1" },
  "v8js.memory.heap.used": { kind: "observed", description: "Heap in use", unit: "By" },
  "v8js.memory.heap.limit": { kind: "observed", description: "Heap limit", unit: "By" },
  "process.memory.usage": { kind: "observed", description: "Resident memory", unit: "By" },
  "process.cpu.time": { kind: "observedCounter", description: "CPU time used", unit: "s" },
  "process.uptime": { kind: "observed", description: "Time since the start", unit: "s" },
  "v8js.gc.duration": {
    kind: "histogram",
    description: "Pauses of garbage collection",
    unit: "s",
    attributes: ["v8js.gc.type"],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 1],
  },
} as const satisfies Record<string, MetricDescription>;

type Metrics = typeof metrics;
export type MetricName = keyof Metrics;
export type MetricOf<K extends Instrument> = {
  [N in MetricName]: Metrics[N]["kind"] extends K ? N : never;
}[MetricName];

/** The attributes that a metric may have. */
export type MetricAttributes<N extends MetricName> = Metrics[N] extends {
  attributes: readonly (infer A extends AttributeName)[];
}
  ? { [K in A]?: string | number | boolean | undefined }
  : Record<string, never>;

/** The description of a metric, with the fields that it leaves out. */
export function describeMetric(name: MetricName): MetricDescription {
  return metrics[name];
}
