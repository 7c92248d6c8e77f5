import { expect, it } from "vitest";
import { etagOf } from "./etag.ts";

const task = { taskId: "01a1fde8-7b7d-75f0-b81c-fd2dd3a43aa6", revision: 7n };
const current = etagOf(task);

it("differs by revision and by task", () => {
  expect(etagOf({ ...task, revision: 8n })).not.toBe(current);
  expect(etagOf({ ...task, taskId: "01a1fde8-7b7d-75f0-b81c-fd2dd3a43aa7" })).not.toBe(current);
});
