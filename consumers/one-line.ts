// Controls, line and paragraph separators, and the marks that turn the reading direction of what follows them.
const breaking = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/** A text of people as one line that cannot start another or reorder its neighbours; longer than `limit` characters ends in "…". */
export function oneLine(text: string, limit = 200): string {
  const line = text.toWellFormed().replace(breaking, " ").replace(/\s+/g, " ").trim();
  const characters = [...line];
  return characters.length > limit
    ? `${characters
        .slice(0, limit - 1)
        .join("")
        .trimEnd()}…`
    : line;
}
