import { expect, test } from "vitest";
import { negotiateCoding } from "./negotiate.ts";

test.each([
  [undefined, undefined],
  ["", undefined],
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["GZIP;Q=1.0", "gzip"],
  ["gzip, deflate, br", "br"],
  ["gzip, deflate, br, zstd", "zstd"],
  ["gzip;q=1, br;q=0.9, zstd;q=0.8", "gzip"],
  ["br;q=0.5 , gzip;q=0.7", "gzip"],
  ["*", "zstd"],
  ["*;q=0.5, zstd;q=0", "br"],
  ["gzip;q=0", undefined],
  ["gzip;q=0, *", "zstd"],
  ["identity", undefined],
  ["identity;q=1, gzip;q=0.5", undefined],
  ["identity;q=0.2, gzip;q=0.5", "gzip"],
  ["*;q=0", undefined],
  ["deflate, compress", undefined],
  ["gzip;q=lots, br", "br"],
  ["gzip;;q=1", undefined],
])("Accept-Encoding %s: %s", (accept, name) => {
  expect(negotiateCoding(accept)?.name).toBe(name);
});
