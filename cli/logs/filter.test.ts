import { expect, it } from "vitest";
import { fieldsOf, lineTest } from "./filter.ts";

const line = (fields: object) => JSON.stringify({ level: "info", message: "call answered", ...fields });
const trace = "0af7651916cd43dd8448eb211c80319c";

it("lets every line through when nothing is asked for, those of the parts too", () => {
  expect(["checkpoint complete", line({}), ""].every(lineTest({}))).toBe(true);
});

it("takes the level asked for and those above it", () => {
  const levels = ["debug", "info", "warn", "error", "fatal"].filter((level) =>
    lineTest({ level: "warn" })(line({ level })),
  );
  expect(levels).toEqual(["warn", "error", "fatal"]);
});

it("takes the lines of one trace, by the first digits of its id", () => {
  const isWanted = lineTest({ trace: trace.slice(0, 8) });
  expect(isWanted(line({ trace_id: trace }))).toBe(true);
  expect(isWanted(line({ trace_id: `1${trace.slice(1)}`, message: trace }))).toBe(false);
});

it("takes the lines of one user's calls, not those that only have the id in their words", () => {
  const isWanted = lineTest({ user: "u-1" });
  expect(isWanted(line({ "taskmesh.user.id": "u-1" }))).toBe(true);
  expect(isWanted(line({ message: "u-1" }))).toBe(false);
});

it("joins what is asked for by and", () => {
  const isWanted = lineTest({ user: "u-1", level: "error" });
  expect(isWanted(line({ "taskmesh.user.id": "u-1" }))).toBe(false);
  expect(isWanted(line({ "taskmesh.user.id": "u-1", level: "error" }))).toBe(true);
});

it("shows no line without fields when a field is asked for", () => {
  expect(["checkpoint complete", "{broken", "{}"].some(lineTest({ level: "trace" }))).toBe(false);
  expect(fieldsOf("{broken")).toBeUndefined();
});
