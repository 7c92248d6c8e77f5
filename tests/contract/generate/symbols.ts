/**
 * Texts that stand for something which only the one who sends a message knows. Several people make the same call, each
 * in a world of their own: `⟦task_id:2⟧` is the third task id that this person has met, and the twelve digits of
 * `laneMark` are the person's own, so that ids and addresses that must be unique are.
 */
export const laneMark = "1a4e1a4e1a4e";

const reference = /⟦([a-z_]+):(\d+)⟧/g;

export function referTo(pool: string, index: number): string {
  return `⟦${pool}:${index}⟧`;
}

/** What a person puts in the places of symbols. */
export interface Meanings {
  /** Twelve hexadecimal digits. */
  mark: string;
  /** What `⟦pool:index⟧` stands for. */
  meaning(pool: string, index: number): string;
}

/** The same text, message or list with every symbol replaced. What has none is the same afterwards, not a copy. */
export function resolved<T>(value: T, meanings: Meanings): T {
  if (typeof value === "string") return resolvedText(value, meanings) as T;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item) => resolved(item, meanings)) as T;
  const copy = Object.create(Object.getPrototypeOf(value)) as Record<string, unknown>;
  for (const [name, inner] of Object.entries(value)) copy[resolvedText(name, meanings)] = resolved(inner, meanings);
  return copy as T;
}

function resolvedText(text: string, meanings: Meanings): string {
  const named = text.includes("⟦")
    ? text.replaceAll(reference, (_, pool, index) => meanings.meaning(pool, Number(index)))
    : text;
  return named.includes(laneMark) ? named.replaceAll(laneMark, meanings.mark) : named;
}
