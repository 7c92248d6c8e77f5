/** The etag of a profile at a revision. */
export function etagOf(revision: bigint): string {
  return `r${revision}`;
}

/** Whether a condition holds: an etag as it was given, or as If-Match has it, quoted, listed, or `*` (RFC 9110). */
export function matches(condition: string, etag: string): boolean {
  const wanted = condition.split(",").map((part) => part.trim().replace(/^"(.*)"$/, "$1"));
  return wanted.includes("*") || wanted.includes(etag);
}
