import { expect, it } from "vitest";
import { Code } from "#kit/errors.ts";
import { newEditors } from "./assignment.ts";
import { Role } from "./task.ts";

const collaborators = [
  { userId: "ada", role: Role.OWNER },
  { userId: "eve", role: Role.EDITOR },
  { userId: "vic", role: Role.VIEWER },
];

it.each<[string, string[], string[]]>([
  ["people who can change the task stay as they are", ["ada", "eve"], []],
  ["a viewer becomes an editor", ["vic"], ["vic"]],
  ["a stranger becomes an editor", ["bob", "eve"], ["bob"]],
  ["nobody", [], []],
])("for the owner, %s", (_, assigneeIds, editors) => {
  expect(newEditors(assigneeIds, collaborators, Role.OWNER)).toEqual(editors);
});

it("lets an editor assign those who can change the task already, and nobody else", () => {
  expect(newEditors(["ada", "eve"], collaborators, Role.EDITOR)).toEqual([]);
  for (const userId of ["vic", "bob"]) {
    expect(() => newEditors([userId], collaborators, Role.EDITOR)).toThrow(
      expect.objectContaining({ code: Code.PERMISSION_DENIED }),
    );
  }
});
