import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { Code } from "#kit/errors.ts";
import { codingOf, codings } from "./codings.ts";

const limit = 1024 * 1024;
const texts = ["a", "x".repeat(2000), JSON.stringify(Array.from({ length: 20_000 }, (_, index) => index * 7919))];

describe.each(codings.map((coding) => [coding.name, coding] as const))("%s", (_name, coding) => {
  test.each(texts.map((text) => [text.length, text] as const))("gives back %i characters", async (_length, text) => {
    const packed = await coding.compress(Buffer.from(text));
    expect((await coding.decompress(packed, limit)).toString()).toBe(text);
  });

  test("takes nothing for nothing, and exactly the limit", async () => {
    expect(await coding.decompress(Buffer.alloc(0), limit)).toHaveLength(0);
    const packed = await coding.compress(Buffer.alloc(limit));
    expect(await coding.decompress(packed, limit)).toHaveLength(limit);
  });

  test.each([limit + 1, 64 * limit])("stops at the limit when %i bytes were packed", async (size) => {
    const bomb = await coding.compress(Buffer.alloc(size));
    const before = process.memoryUsage().rss;
    await expect(coding.decompress(bomb, limit)).rejects.toMatchObject({
      code: Code.RESOURCE_EXHAUSTED,
      message: "the body is larger than 1048576 bytes",
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(32 * limit);
  });

  test.each([
    ["nonsense", () => Buffer.from("this was never compressed")],
    ["half of it", async () => (await coding.compress(Buffer.from(texts[2] as string))).subarray(0, 2000)],
    ["more behind it", async () => Buffer.concat([await coding.compress(Buffer.from("a")), Buffer.from("b")])],
  ])("refuses %s", async (_what, make) => {
    const failure = coding.decompress(await make(), limit);
    await expect(failure).rejects.toMatchObject({
      code: Code.INVALID_ARGUMENT,
      message: `the body is not well-formed ${coding.name}`,
    });
  });
});

test("a frame of zstd may not ask for more memory than RFC 9659 allows", async () => {
  // Magic number, no flags, a window of 128 MiB, and one empty last block.
  const frame = Buffer.from("28b52ffd0088010000", "hex");
  await expect(codingOf("zstd")?.decompress(frame, limit)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
});

test("names are told in any case", () => {
  expect(codingOf(" GZip ")?.name).toBe("gzip");
  expect(codingOf("x-gzip")?.name).toBe("gzip");
  expect(codingOf("deflate")).toBeUndefined();
  expect(codingOf("gzip, br")).toBeUndefined();
});

test("what others pack is understood", async () => {
  expect(String(await codingOf("gzip")?.decompress(gzipSync("a", { level: 9 }), limit))).toBe("a");
  expect(String(await codingOf("zstd")?.decompress(zstdCompressSync("a"), limit))).toBe("a");
});
