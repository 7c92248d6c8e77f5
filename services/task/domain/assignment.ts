import { permissionDenied } from "#kit/errors.ts";
import { type Member, Role } from "./task.ts";

/**
 * Who has to become an editor so that everybody who is to do the task can. Throws PERMISSION_DENIED when the actor is
 * not the owner and would thereby bring somebody in, or raise a role.
 */
export function newEditors(
  assigneeIds: readonly string[],
  collaborators: readonly Member[],
  actorRole: Role,
): string[] {
  const roles = new Map(collaborators.map(({ userId, role }) => [userId, role]));
  const editors = assigneeIds.filter((userId) => (roles.get(userId) ?? 0) < Role.EDITOR);
  if (editors.length > 0 && actorRole < Role.OWNER) {
    throw permissionDenied("only the owner of the task may assign it to somebody who cannot change it yet");
  }
  return editors;
}
