import type { KafkaMessage } from "kafkajs";
import { expect, test } from "vitest";
import { cloudEventHeaders, plainHeaders, readMeta, readRetryState, retryHeaders } from "./event.ts";

const place = { topic: "task.events.v1", partition: 3, group: "notification" };
const message = { key: Buffer.from("t1"), offset: "42", timestamp: "1795260000000" } as KafkaMessage;
const occurTime = new Date("2026-11-21T10:00:00.123Z");
const headers = cloudEventHeaders({ eventId: "e1", type: "task.v1.TaskCreated", sequence: 7n, occurTime }, "task");

test("an event says of itself what its headers hold", () => {
  expect(readMeta(message, headers, place)).toEqual({
    eventId: "e1",
    type: "task.v1.TaskCreated",
    source: "task",
    topic: "task.events.v1",
    partition: 3,
    offset: "42",
    key: "t1",
    sequence: 7n,
    attempt: 1,
    occurTime,
    group: "notification",
  });
});

test("an event out of a retry topic keeps where it came from and counts its tries", () => {
  const state = { attempt: 2, topic: "task.events.v1", partition: 5, offset: "17", dueTime: 1_795_260_001_000 };
  const retried = { ...headers, ...retryHeaders(state) };
  expect(readRetryState(retried)).toEqual(state);
  const read = readMeta(message, retried, { ...place, topic: "notification.retry-10s.v1" });
  expect(read).toMatchObject({ topic: "task.events.v1", partition: 5, offset: "17", attempt: 3 });
});

test("a stranger's record is read without a fault", () => {
  const read = readMeta({ ...message, key: null }, { ce_sequence: "many", ce_time: "yesterday" }, place);
  expect(read).toMatchObject({ eventId: "", type: "", key: "", sequence: 0n, occurTime: new Date(1_795_260_000_000) });
  expect(readRetryState({})).toBeUndefined();
});

test("headers are text, the first of several", () => {
  const given = { a: Buffer.from("1"), b: ["2", Buffer.from("3")], c: undefined };
  expect(plainHeaders(given)).toEqual({ a: "1", b: "2" });
});
