import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskSchema } from "#gen/task/v1/task_pb.js";
import { GetTaskRequestSchema, TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { conditionHeaders, entityTag, isUnchanged, mustBeWanted } from "./etag.ts";

const { updateTask, completeTask, deleteTask, shareTask, getTask, createTask } = TaskService.method;

describe("conditionHeaders", () => {
  const { updateMe } = UserService.method;
  const { markRead, updateWebhook, deleteWebhook } = NotificationService.method;

  test.each([updateTask, completeTask, deleteTask, shareTask, updateMe, markRead, updateWebhook, deleteWebhook])(
    "go along with $name",
    (method) => {
      const headers = { "if-match": '"a", W/"b"', "if-none-match": "*", accept: "*/*" };
      expect(conditionHeaders(method, headers)).toEqual({ "if-match": '"a", W/"b"', "if-none-match": "*" });
      expect(conditionHeaders(method, {})).toEqual({});
    },
  );

  test.each([getTask, createTask])("stay behind with $name", (method) => {
    expect(conditionHeaders(method, { "if-match": '"a"', "if-none-match": "garbage" })).toEqual({});
  });

  test.each(["v1", '"a"b"', "", '"ä"', "*, *"])("are refused when malformed: %j", (text) => {
    expect(() => conditionHeaders(updateTask, { "if-match": text })).toThrow(/^if-match: /);
    expect(() => conditionHeaders(updateTask, { "if-none-match": text })).toThrow(/^if-none-match: /);
  });
});

describe("mustBeWanted", () => {
  test.each([undefined, "*", '"v7"', '"v6", "v7"'])("lets the version through that %s asks for", (ifMatch) => {
    expect(() => mustBeWanted(ifMatch, '"v7"')).not.toThrow();
    expect(() => mustBeWanted(ifMatch, undefined)).not.toThrow();
  });

  test.each(['"v6"', 'W/"v7"'])("compares %s strongly", (ifMatch) => {
    expect(() => mustBeWanted(ifMatch, '"v7"')).toThrow(
      expect.objectContaining({ reason: ErrorReason.ETAG_MISMATCH, metadata: { current_etag: "v7" } }),
    );
  });
});

test("entityTag is the etag in quotes, when it can be a header", () => {
  expect(entityTag(create(TaskSchema, { etag: "v1" }))).toBe('"v1"');
  expect(entityTag(create(TaskSchema))).toBeUndefined();
  expect(entityTag(create(TaskSchema, { etag: 'a"b' }))).toBeUndefined();
  expect(entityTag(create(GetTaskRequestSchema))).toBeUndefined();
  expect(entityTag(undefined)).toBeUndefined();
});

describe("isUnchanged", () => {
  test.each([
    ['"v7"', true],
    ['W/"v7"', true],
    ['"v6", "v7"', true],
    ["*", true],
    ['"v6"', false],
    ["v7", false],
    [undefined, false],
  ])("compares %s weakly", (ifNoneMatch, unchanged) => {
    expect(isUnchanged(ifNoneMatch, '"v7"')).toBe(unchanged);
    expect(isUnchanged(ifNoneMatch, undefined)).toBe(false);
  });
});
