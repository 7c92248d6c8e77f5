import { expect, it } from "vitest";
import { Code } from "#kit/errors.ts";
import { type Act, may, mustBeAllowed } from "./permission.ts";
import { Role } from "./task.ts";

const acts: Act[] = ["see", "comment", "change", "share", "delete"];

it.each<[keyof typeof Role, Act[]]>([
  ["VIEWER", ["see"]],
  ["COMMENTER", ["see", "comment"]],
  ["EDITOR", ["see", "comment", "change"]],
  ["OWNER", acts],
])("a %s may %j", (role, allowed) => {
  expect(acts.filter((act) => may(Role[role], act))).toEqual(allowed);
});

it("answers with PERMISSION_DENIED where a role is too low", () => {
  expect(() => mustBeAllowed(Role.VIEWER, "comment")).toThrow(
    expect.objectContaining({ code: Code.PERMISSION_DENIED, message: expect.stringContaining("a commenter") }),
  );
  expect(() => mustBeAllowed(Role.EDITOR, "change")).not.toThrow();
});
