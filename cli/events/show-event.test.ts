import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { AuthEventSchema } from "#gen/auth/v1/auth_events_pb.js";
import { TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import { UserEventSchema } from "#gen/user/v1/user_events_pb.js";
import type { TailedRecord } from "#kit/events/tail.ts";
import { showEvent } from "./show-event.ts";
import { readSince } from "./since.ts";

const record = (type: string, value: Uint8Array): TailedRecord => ({
  ...{ topic: "t", partition: 1, offset: "7", key: "k", eventId: "e", traceId: "ab", type, value },
  time: new Date(0),
  occurTime: new Date(0),
});

const comment = toBinary(
  TaskEventSchema,
  create(TaskEventSchema, {
    taskId: "task",
    title: "a secret title",
    memberIds: ["one", "two"],
    fact: { case: "commentAdded", value: { commentId: "comment", excerpt: "a secret excerpt" } },
  }),
);

describe("showEvent", () => {
  test("tells what happened to whom, and nothing that somebody wrote", () => {
    const shown = showEvent(record("task.v1.CommentAdded", comment), false);
    expect(shown).toMatchObject({
      topic: "t",
      partition: 1,
      offset: "7",
      key: "k",
      traceId: "ab",
      type: "task.v1.CommentAdded",
    });
    expect(shown.event).toMatchObject({
      taskId: "task",
      memberIds: ["one", "two"],
      commentAdded: { commentId: "comment" },
    });
    expect(JSON.stringify(shown)).not.toContain("secret");
  });

  test("leaves out the names that people and keys have", () => {
    const user = create(UserEventSchema, {
      userId: "u",
      fact: { case: "userCreated", value: { displayName: "secret" } },
    });
    const key = create(AuthEventSchema, {
      fact: { case: "apiKeyExpiring", value: { apiKeyId: "id", name: "secret" } },
    });
    for (const [type, value] of [
      ["user.v1.UserCreated", toBinary(UserEventSchema, user)],
      ["auth.v1.ApiKeyExpiring", toBinary(AuthEventSchema, key)],
    ] as const) {
      expect(JSON.stringify(showEvent(record(type, value), false))).not.toContain("secret");
    }
  });

  test("shows it to those who ask for it", () => {
    const { event } = showEvent(record("task.v1.CommentAdded", comment), true);
    expect(event).toMatchObject({ title: "a secret title", commentAdded: { excerpt: "a secret excerpt" } });
  });

  test("shows records that it cannot read without their value", () => {
    expect(showEvent(record("task.v1.X", Uint8Array.of(255)), true).event).toBeNull();
    expect(showEvent(record("", Uint8Array.of(255)), true).event).toBeUndefined();
  });
});

test("readSince knows spans and moments", () => {
  expect(readSince("10m", 1_000_000)).toEqual(new Date(400_000));
  expect(readSince("2026-11-21T10:00:00Z").toISOString()).toBe("2026-11-21T10:00:00.000Z");
  for (const odd of ["", "yesterday", "10", "-5m", "2026-13-45"])
    expect(() => readSince(odd)).toThrow(/not understood/);
});
