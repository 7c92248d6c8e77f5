import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("the module imports nothing of the project but the google/api annotations", () => {
  const folder = new URL("./", import.meta.url);
  const sources = readdirSync(folder).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const strangers = sources.flatMap((name) => {
    const text = readFileSync(new URL(name, folder), "utf8");
    const imports = [...text.matchAll(/from "([^"]+)"/g)].map((match) => match[1] ?? "");
    return imports.filter(
      (from) => !/^(\.\/[\w.-]+|@bufbuild\/protobuf(\/\w+)?|node:\w+|#gen\/google\/api\/\w+\.js)$/.test(from),
    );
  });
  expect(sources.length).toBeGreaterThan(10);
  expect(strangers).toEqual([]);
});
