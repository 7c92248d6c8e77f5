import { expect, test } from "vitest";
import { codedTag, plainTags, tagAsGiven } from "./entity-tags.ts";

test("each coding has a tag of its own, and all are tags of the same version", () => {
  const tags = (["zstd", "br", "gzip"] as const).map((coding) => codedTag('"v7"', coding));
  expect(tags).toEqual(['"v7;zstd"', '"v7;br"', '"v7;gzip"']);
  expect(tags.map(plainTags)).toEqual(['"v7"', '"v7"', '"v7"']);
});

test.each([
  ['"v7"', '"v7"'],
  ["*", "*"],
  ['W/"v7;br"', 'W/"v7"'],
  ['"v6;gzip", "v7;br"', '"v6", "v7"'],
  ['"v7;deflate"', '"v7;deflate"'],
  ['"br"', '"br"'],
])("%s means %s", (given, plain) => {
  expect(plainTags(given)).toBe(plain);
});

test("the client hears of its own representation again", () => {
  expect(tagAsGiven('"v6;br", "v7;gzip"', '"v7"')).toBe('"v7;gzip"');
  expect(tagAsGiven("*", '"v7"')).toBe('"v7"');
});
