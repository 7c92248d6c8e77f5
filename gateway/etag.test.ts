import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { TaskSchema } from "#gen/task/v1/task_pb.js";
import {
  CompleteTaskRequestSchema,
  GetTaskRequestSchema,
  TaskService,
  UpdateTaskRequestSchema,
} from "#gen/task/v1/task_service_pb.js";
import { applyIfMatch, entityTag, isUnchanged } from "./etag.ts";

const { updateTask, completeTask, getTask } = TaskService.method;
const update = (init: MessageInitShape<typeof UpdateTaskRequestSchema>) => create(UpdateTaskRequestSchema, init);

describe("applyIfMatch", () => {
  test("fills the etag of the resource in the request, or the request's own", () => {
    const resource = update({ task: { title: "a" } });
    applyIfMatch(updateTask, resource, '"v1"');
    expect(resource.task?.etag).toBe("v1");
    const own = create(CompleteTaskRequestSchema, { taskId: "a" });
    applyIfMatch(completeTask, own, '"v1"');
    expect(own.etag).toBe("v1");
  });

  test("changes nothing without the header, for any version, or where there is no etag", () => {
    const message = update({ task: { etag: "v0" } });
    applyIfMatch(updateTask, message, undefined);
    applyIfMatch(updateTask, message, "*");
    expect(message.task?.etag).toBe("v0");
    applyIfMatch(updateTask, update({}), '"v1"');
    const get = create(GetTaskRequestSchema, { taskId: "a" });
    applyIfMatch(getTask, get, '"v1"');
    expect(get).toEqual(create(GetTaskRequestSchema, { taskId: "a" }));
  });

  test("refuses a second opinion, and what is no strong tag", () => {
    expect(() => applyIfMatch(updateTask, update({ task: { etag: "v0" } }), '"v1"')).toThrow(/task\.etag/);
    for (const tag of ['W/"v1"', "v1", '"v1", "v2"', '""', '"a"b"']) {
      expect(() => applyIfMatch(updateTask, update({ task: {} }), tag)).toThrow(/if-match/);
    }
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
