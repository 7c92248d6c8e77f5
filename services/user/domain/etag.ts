/** The etag of a profile at a revision. */
export function etagOf(revision: bigint): string {
  return `r${revision}`;
}
