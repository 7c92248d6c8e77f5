import { permissionDenied } from "#kit/errors.ts";
import { Role } from "./task.ts";

const needed = {
  see: Role.VIEWER,
  comment: Role.COMMENTER,
  change: Role.EDITOR,
  share: Role.OWNER,
  delete: Role.OWNER,
};
const names: Record<Role, string> = {
  [Role.VIEWER]: "a viewer",
  [Role.COMMENTER]: "a commenter",
  [Role.EDITOR]: "an editor",
  [Role.OWNER]: "the owner",
};

export type Act = keyof typeof needed;

export function may(role: Role, act: Act): boolean {
  return role >= needed[act];
}

/** Throws PERMISSION_DENIED when the role is too low. For people who may see the task; for others it does not exist. */
export function mustBeAllowed(role: Role, act: Act): void {
  if (!may(role, act))
    throw permissionDenied(`only ${names[needed[act]]} of the task may ${act} it, not ${names[role]}`);
}
