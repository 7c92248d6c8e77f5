import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import type { EventMeta } from "#kit/events/consumer.ts";
import { newId } from "#kit/id.ts";
import { decodeEvent } from "./decode.ts";

const eventId = newId();
const meta = { eventId } as EventMeta;
const event = create(TaskEventSchema, { eventId, title: "milk", fact: { case: "taskCompleted", value: {} } });

describe("decodeEvent", () => {
  it("reads an event", () => {
    const decoded = decodeEvent(TaskEventSchema, { meta, value: toBinary(TaskEventSchema, event) });
    expect(decoded).toMatchObject({ title: "milk", fact: { case: "taskCompleted" } });
  });

  it("gives up what is no event of the schema, or another event than the record says", () => {
    const undecodable = expect.objectContaining({ name: "PermanentEventError", reason: "undecodable" });
    expect(() => decodeEvent(TaskEventSchema, { meta, value: Uint8Array.of(0xff, 0xff) })).toThrow(undecodable);
    const other = toBinary(TaskEventSchema, { ...event, eventId: newId() });
    expect(() => decodeEvent(TaskEventSchema, { meta, value: other })).toThrow(undecodable);
  });

  it("gives up a fact that a later program writes, so that it can be sent back when this one knows it", () => {
    // Field 100, of the wire type of messages, with no bytes.
    const later = toBinary(TaskEventSchema, { ...event, fact: { case: undefined } });
    const value = Uint8Array.of(...later, 0xa2, 0x06, 0x00);
    expect(() => decodeEvent(TaskEventSchema, { meta, value })).toThrow(
      expect.objectContaining({ reason: "unknown_type" }),
    );
  });
});
