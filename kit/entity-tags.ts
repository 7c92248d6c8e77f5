/** An entity tag (RFC 9110, section 8.8.3). */
export interface EntityTag {
  /** Without its quotes. */
  value: string;
  weak: boolean;
}

/** What If-Match and If-None-Match ask about: any version, or one of these. */
export type TagCondition = "*" | readonly EntityTag[];

// A list may have empty elements (RFC 9110, section 5.6.1.2).
const tag = /[\s,]*(W\/)?"([\x21\x23-\x7e]*)"\s*(?:,[\s,]*|$)/y;

/** Reads If-Match or If-None-Match (RFC 9110, sections 13.1.1 and 13.1.2). Undefined when it is malformed. */
export function parseTags(header: string): TagCondition | undefined {
  if (header.trim() === "*") return "*";
  const tags: EntityTag[] = [];
  tag.lastIndex = 0;
  while (tag.lastIndex < header.length) {
    const match = tag.exec(header);
    if (match === null) return undefined;
    tags.push({ value: match[2] ?? "", weak: match[1] !== undefined });
  }
  return tags.length > 0 ? tags : undefined;
}

/** Whether the version that is there is one of these: strong comparison, which no weak tag ever passes. */
export function matchesStrongly(condition: TagCondition, current: string): boolean {
  return condition === "*" || condition.some(({ value, weak }) => !weak && value === current);
}

/** Whether the version that is there is one of these, or was once thought to be as good: weak comparison. */
export function matchesWeakly(condition: TagCondition, current: string): boolean {
  return condition === "*" || condition.some(({ value }) => value === current);
}
