import { etagMismatch } from "#kit/errors.ts";
import type { Task } from "./task.ts";

/** Opaque to clients. Holds a part of the id, so that the etag of another task never matches. */
export function etagOf({ taskId, revision }: Pick<Task, "taskId" | "revision">): string {
  return `${revision.toString(36)}-${taskId.slice(-8)}`;
}

/**
 * Throws ETAG_MISMATCH unless the etag, if given, is the current one, and so is one of the If-Match header's, if given
 * (RFC 9110 section 13.1.1).
 */
export function mustMatch(task: Pick<Task, "taskId" | "revision">, etag: string, ifMatch = ""): void {
  const current = etagOf(task);
  if (etag !== "" && bare(etag) !== current) throw etagMismatch(current);
  const tags = ifMatch.split(",").map(bare);
  if (ifMatch.trim() !== "" && !tags.includes("*") && !tags.includes(current)) throw etagMismatch(current);
}

function bare(tag: string): string {
  return tag
    .trim()
    .replace(/^W\//, "")
    .replace(/^"(.*)"$/, "$1");
}
