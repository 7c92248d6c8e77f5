import type { IHeaders, KafkaMessage } from "kafkajs";
import { newId } from "#kit/id.ts";

/** What a handler knows about an event besides its value. */
export interface EventMeta {
  eventId: string;
  /** The full name of the fact: "task.v1.TaskCreated". */
  type: string;
  /** The service that it is of: "task". */
  source: string;
  /** The topic that it was first written to, also when it comes out of a retry topic; so partition and offset. */
  topic: string;
  partition: number;
  offset: string;
  key: string;
  /** Counts the events of an aggregate; 0 when the producer does not count. */
  sequence: bigint;
  /** 1 for the first try. */
  attempt: number;
  occurTime: Date;
  group: string;
}

export interface OutgoingEvent {
  topic: string;
  /** Events with one key stay in order. */
  key: string;
  eventId: string;
  /** "task.v1.TaskCreated" */
  type: string;
  /** Counts the events of the aggregate from 1. */
  sequence: bigint | number;
  /** The encoded protobuf message. */
  payload: Uint8Array;
  occurTime: Date;
}

export type Headers = Record<string, string>;

/** Where a record was when it was first seen, and how often it was tried; absent on an event's first way. */
export interface RetryState {
  attempt: number;
  topic: string;
  partition: number;
  offset: string;
  /** Not to be handled before, in milliseconds since 1970. */
  dueTime: number;
}

/** The headers of CloudEvents 1.0 in Kafka's binary mode; `sequence` is ours. */
export function cloudEventHeaders(event: Omit<OutgoingEvent, "topic" | "key" | "payload">, source: string): Headers {
  return {
    ce_specversion: "1.0",
    ce_id: event.eventId,
    ce_type: event.type,
    ce_source: source,
    ce_time: event.occurTime.toISOString(),
    ce_sequence: String(event.sequence),
    "content-type": "application/protobuf",
  };
}

const names = {
  attempt: "mesh_attempt",
  topic: "mesh_origin_topic",
  partition: "mesh_origin_partition",
  offset: "mesh_origin_offset",
  dueTime: "mesh_due_time",
} as const;

/** How often an event was sent back from the dead letters; absent on one that was not. */
export const redriveHeader = "mesh_redrive";

export function retryHeaders(state: RetryState): Headers {
  return Object.fromEntries(
    Object.entries(names).map(([field, name]) => [name, String(state[field as keyof RetryState])]),
  );
}

export function readRetryState(headers: Headers): RetryState | undefined {
  const { mesh_origin_topic: topic, mesh_origin_offset: offset } = headers;
  if (topic === undefined || offset === undefined) return undefined;
  return {
    topic,
    offset,
    partition: Number(headers[names.partition] ?? 0),
    attempt: Number(headers[names.attempt] ?? 0),
    dueTime: Number(headers[names.dueTime] ?? 0),
  };
}

/** Headers as text, the first value of each. */
export function plainHeaders(headers: IHeaders | undefined): Headers {
  const plain: Headers = {};
  for (const [name, value] of Object.entries(headers ?? {})) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) plain[name] = first.toString();
  }
  return plain;
}

export interface RecordPosition {
  topic: string;
  partition: number;
  group: string;
}

/** Reads what a record says of itself. `eventId` is "" when the record is no event of ours. */
export function readMeta(
  message: KafkaMessage,
  headers: Headers,
  { topic, partition, group }: RecordPosition,
): EventMeta {
  const origin = readRetryState(headers);
  const occurTime = new Date(headers.ce_time ?? Number(message.timestamp));
  return {
    eventId: headers.ce_id ?? "",
    type: headers.ce_type ?? "",
    source: headers.ce_source ?? "",
    topic: origin?.topic ?? topic,
    partition: origin?.partition ?? partition,
    offset: origin?.offset ?? message.offset,
    key: message.key?.toString() ?? "",
    sequence: /^\d{1,18}$/.test(headers.ce_sequence ?? "") ? BigInt(headers.ce_sequence ?? "0") : 0n,
    attempt: (origin?.attempt ?? 0) + 1,
    occurTime: Number.isNaN(occurTime.getTime()) ? new Date(Number(message.timestamp)) : occurTime,
    group,
  };
}

/** An id for an event; UUIDv7, so that ids sort by time. */
export const newEventId = newId;
