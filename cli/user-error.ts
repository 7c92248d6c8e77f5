/** A fault the user can do something about: its message is one plain line that says what to do. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** The message of anything thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/\s+/g, " ").trim();
}
