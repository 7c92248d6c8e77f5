import { describe, expect, it } from "vitest";
import { isAddress, parseSender } from "./sender.ts";

describe("parseSender", () => {
  it.each([
    ["no-reply@mesh.example", { address: "no-reply@mesh.example", name: "" }],
    ["Taskmesh <no-reply@mesh.example>", { address: "no-reply@mesh.example", name: "Taskmesh" }],
    ['"Task, mesh" <taskmesh@localhost>', { address: "taskmesh@localhost", name: "Task, mesh" }],
    ["no-reply", undefined],
    ["a@b, c@d", undefined],
    ["Taskmesh <a@b> <c@d>", undefined],
    ["Task\r\nBcc: x <a@b>", undefined],
    ["", undefined],
  ])("%j is %j", (text, sender) => {
    expect(parseSender(text)).toEqual(sender);
  });
});

describe("isAddress", () => {
  it.each(["a@b\r\nBcc: c@d", "a@b,c@d", "<a@b>", "a b@c", "a@b\u0000", `${"a".repeat(250)}@b.cd`, "a@b>", "a@-b"])(
    "%j is none",
    (text) => {
      expect(isAddress(text)).toBe(false);
    },
  );
});
