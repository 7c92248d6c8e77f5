import { expect, test } from "vitest";
import { acceptedQuality } from "./accept.ts";

test.each([
  [undefined, "text/html", 1],
  ["", "text/html", 1],
  [" ", "text/html", 1],
  ["*/*", "text/html", 1],
  ["text/*", "text/html", 1],
  ["text/html", "text/html", 1],
  ["TEXT/HTML", "text/html", 1],
  ["text/htm", "text/html", 0],
  ["text/plain, application/*", "text/html", 0],
  ["text/html;level=1;q=0.3", "text/html", 0.3],
  ["text/html; q = 0.5", "text/html", 0.5],
  ["text/html;q=0", "text/html", 0],
  ["*/*;q=0.1, text/*;q=0.2, text/html;q=0.3", "text/html", 0.3],
  ["text/html;q=0.3, */*", "text/html", 0.3],
  ["*/*, text/html;q=0", "text/html", 0],
  ["text/html;q=7", "text/html", 1],
  [",;,/", "text/html", 0],
])("Accept %j wants %s by %d", (accept, mediaType, quality) => {
  expect(acceptedQuality(accept, mediaType)).toBe(quality);
});
