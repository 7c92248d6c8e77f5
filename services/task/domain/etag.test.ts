import { describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { etagOf, mustMatch } from "./etag.ts";

const task = { taskId: "01a1fde8-7b7d-75f0-b81c-fd2dd3a43aa6", revision: 7n };
const current = etagOf(task);

it("differs by revision and by task", () => {
  expect(etagOf({ ...task, revision: 8n })).not.toBe(current);
  expect(etagOf({ ...task, taskId: "01a1fde8-7b7d-75f0-b81c-fd2dd3a43aa7" })).not.toBe(current);
});

describe("a change goes on", () => {
  it.each([
    ["without a condition", "", undefined],
    ["with the current etag", current, undefined],
    ["with the current etag in quotes", `"${current}"`, undefined],
    ["with a strong If-Match", "", `"${current}"`],
    ["with a weak If-Match", "", `W/"${current}"`],
    ["with a bare If-Match", "", current],
    ["with one of several", "", `"1-00000000", "${current}"`],
    ["with any", "", "*"],
    ["with both", current, `"${current}"`],
    ["with an empty header", "", " "],
  ])("%s", (_, etag, ifMatch) => {
    expect(() => mustMatch(task, etag, ifMatch)).not.toThrow();
  });
});

it.each([
  ["another etag", "6-d3a43aa6", undefined],
  ["another If-Match", "", '"6-d3a43aa6"'],
  ["none of several", "", '"1-00000000", "2-00000000"'],
  ["something else", "garbage", undefined],
  ["the header's alone", current, '"6-d3a43aa6"'],
  ["the message's alone", "6-d3a43aa6", `"${current}"`],
])("ends with ETAG_MISMATCH and the current etag at %s", (_, etag, ifMatch) => {
  expect(() => mustMatch(task, etag, ifMatch)).toThrow(
    expect.objectContaining({ reason: ErrorReason.ETAG_MISMATCH, metadata: { current_etag: current } }),
  );
});
