import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { DeadLetterSchema } from "#gen/notification/v1/dead_letter_pb.js";
import { deadLetterCells, deadLetterHeading, showDeadLetter } from "./show-dead-letter.ts";

const letter = create(DeadLetterSchema, {
  deadLetterId: "01a20007-944d-756d-b44f-f91b448bc5ff",
  group: "email",
  origin: { topic: "task.events.v1", partition: 3, offset: 120n },
  eventType: "task.v1.TaskCreated",
  reason: "tries_exhausted",
  errorClass: "ECONNREFUSED",
  attemptCount: 5,
  failTime: timestampFromDate(new Date("2026-11-21T10:00:00.123Z")),
  payload: Buffer.from("what a person wrote"),
});

describe("a dead letter", () => {
  it("is one line under the heading", () => {
    const line = deadLetterCells(showDeadLetter(letter));
    expect(line).toHaveLength(deadLetterHeading.length);
    expect(line.slice(1)).toEqual([
      "email",
      "2026-11-21T10:00:00Z",
      "task.v1.TaskCreated",
      "tries_exhausted (ECONNREFUSED)",
      "5",
      "-",
      "task.events.v1/3@120",
      "-",
    ]);
  });

  it("says when it was sent back, and nothing that a person wrote", () => {
    const redriveTime = timestampFromDate(new Date("2026-11-21T11:00:00Z"));
    const shown = showDeadLetter({ ...letter, redriveTime, redriveCount: 1 });
    expect(shown).toMatchObject({ place: null, redriveTime: "2026-11-21T11:00:00.000Z", redrives: 1 });
    expect(deadLetterCells(shown)).toContain("2026-11-21T11:00:00Z");
    expect(JSON.stringify(shown)).not.toContain("person");
  });
});
