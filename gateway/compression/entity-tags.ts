import type { CodingName } from "./accepted.ts";

const coded = /;(?:zstd|br|gzip)"/g;

/**
 * The tag of a compressed representation. A strong tag stands for bytes, so each coding needs one of its own (RFC 9110,
 * section 8.8.3.3): `"v7"` is `"v7;br"` in brotli. It stays strong, for a weak one could not be used in If-Match.
 */
export function codedTag(tag: string, coding: CodingName): string {
  return tag.replace(/"$/, `;${coding}"`);
}

/** The tags of If-Match or If-None-Match as if no representation were compressed: all of one version are the same. */
export function plainTags(tags: string): string {
  return tags.includes(";") ? tags.replaceAll(coded, '"') : tags;
}

/** The tag among those of `tags`, as the client has it, that stands for the same version as a plain one. */
export function tagAsGiven(tags: string, plain: string): string {
  return tags.match(/"[\x21\x23-\x7e]*"/g)?.find((given) => plainTags(given) === plain) ?? plain;
}
