import { expect, test } from "vitest";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { retriesOf } from "./retry-ledger.ts";

const { getTask, createTask, createLabel } = TaskService.method;

test.each([
  [getTask, {}, { attempt: 1, left: 1, toGive: 0 }],
  [getTask, { "x-mesh-retries-left": "1" }, { attempt: 1, left: 1, toGive: 0 }],
  [getTask, { "x-mesh-retries-left": "1", "x-envoy-attempt-count": "2" }, { attempt: 2, left: 0, toGive: 0 }],
  [getTask, { "x-mesh-retries-left": "0" }, { attempt: 1, left: 0, toGive: 0 }],
  // A call that reached nobody at first is tried again whatever is left.
  [getTask, { "x-mesh-retries-left": "0", "x-envoy-attempt-count": "2" }, { attempt: 2, left: 0, toGive: 0 }],
  [createLabel, { "x-mesh-retries-left": "1" }, { attempt: 1, left: 1, toGive: 0 }],
  [createTask, { "x-mesh-retries-left": "1" }, { attempt: 1, left: 0, toGive: 1 }],
  [createTask, { "x-mesh-retries-left": "0" }, { attempt: 1, left: 0, toGive: 0 }],
  // Nobody gets more than there is.
  [createTask, { "x-mesh-retries-left": "99" }, { attempt: 1, left: 0, toGive: 1 }],
  [getTask, { "x-mesh-retries-left": "many", "x-envoy-attempt-count": "-1" }, { attempt: 1, left: 1, toGive: 0 }],
])("$name with %o", (method, headers: Record<string, string>, expected) => {
  expect(retriesOf(method, (name) => headers[name])).toEqual(expected);
});
