import { createRequire } from "node:module";
import { Kafka, type LogEntry, logLevel, type RetryOptions } from "kafkajs";
import { logger } from "#observability/logger.ts";

const log = logger("kafka");

export interface KafkaOptions {
  /** host:port of each bootstrap broker. */
  brokers: string[];
  /** Who connects, as the broker's log shows it. */
  clientId: string;
  retry?: RetryOptions;
}

/** The only place where a client of Kafka is made. */
export function createKafka({ brokers, clientId, retry }: KafkaOptions): Kafka {
  return new Kafka({
    brokers,
    clientId,
    connectionTimeout: 3000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 3, ...retry },
    logLevel: logLevel.WARN,
    logCreator: () => writeEntry,
  });
}

// kafkajs reports these as errors or warnings although they belong to ordinary work.
const ordinary =
  /rebalanc|re-?join|is not the leader|Limiting retries|does not host this topic|leadership election|coordinator is loading|coordinator is not available/i;

function writeEntry({ level, namespace, log: entry }: LogEntry): void {
  const { message, timestamp: _, logger: __, stack: ___, error, ...rest } = entry;
  const fields = {
    namespace,
    topic: rest.topic,
    group: rest.groupId,
    broker: rest.broker,
    error: String(error ?? ""),
  };
  const text = `kafkajs: ${message}`;
  if (ordinary.test(`${message} ${fields.error}`)) log.debug(fields, text);
  else if (level <= logLevel.WARN) log.warn(fields, text);
  else log.debug(fields, text);
}

interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: unknown;
}

/**
 * kafkajs 2.2.4 asks for its next look at an empty queue in "throttledUntil - now" milliseconds, which is negative when
 * nothing is throttled; Node 24 warns of each such timer (tulios/kafkajs#1751). An empty queue needs no look at all.
 */
function repairRequestQueue(): void {
  const load = createRequire(import.meta.url);
  const { prototype } = load("kafkajs/src/network/requestQueue/index.js") as {
    prototype: { scheduleCheckPendingRequests(this: RequestQueue): void };
  };
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function scheduleWhenNeeded() {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
  };
}

repairRequestQueue();
