interface Range {
  type: string;
  quality: number;
  /** 2 for "text/html", 1 for "text/*", 0 for any. */
  precision: number;
}

const weight = /^\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*$/i;

/**
 * How much an Accept field wants a media type, from 0 (not at all) to 1 (RFC 9110, section 12.5.1). The most precise
 * range that fits decides; without a field everything is wanted.
 */
export function acceptedQuality(accept: string | undefined, mediaType: string): number {
  if (accept === undefined || accept.trim() === "") return 1;
  const fitting = accept
    .split(",")
    .map(parseRange)
    .filter(({ type }) => fits(type, mediaType));
  const [best] = fitting.toSorted((a, b) => b.precision - a.precision);
  return best?.quality ?? 0;
}

function parseRange(text: string): Range {
  const [type = "", ...parameters] = text.split(";");
  const name = type.trim().toLowerCase();
  const found = parameters.map((parameter) => weight.exec(parameter)?.[1]).find((given) => given !== undefined);
  return {
    type: name,
    quality: found === undefined ? 1 : Math.min(1, Number(found)),
    precision: name === "*/*" ? 0 : name.endsWith("/*") ? 1 : 2,
  };
}

function fits(range: string, mediaType: string): boolean {
  if (range === "*/*" || range === mediaType) return true;
  return range.endsWith("/*") && mediaType.startsWith(range.slice(0, -1));
}
