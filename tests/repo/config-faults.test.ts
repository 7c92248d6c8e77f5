import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ConfigError, type EnvSchema, type Reader, readEnv } from "#kit/env.ts";
import { parseLimits } from "./config-samples.ts";
import { schemas } from "./env-example.ts";

// Every variable of every process, as the processes themselves declare them: a new one is in here from its first day.
const folder = mkdtempSync(join(tmpdir(), "taskmesh-config-"));
const file = join(folder, "file");
writeFileSync(file, `${Buffer.alloc(32, "k").toString("base64")}\n`);
afterAll(() => rmSync(folder, { recursive: true }));

const variables: [process: string, variable: string, reader: Reader<unknown>][] = Object.entries(schemas).flatMap(
  ([process, schema]) =>
    Object.values(schema).map((reader): [string, string, Reader<unknown>] => [process, reader.variable, reader]),
);
const canary = "c4n4ry-s3cret";

/** What comes of reading one variable alone. */
function read(reader: Reader<unknown>, text: string | undefined): { value: unknown } | { fault: string } {
  const schema = { value: reader } satisfies EnvSchema;
  try {
    return readEnv(schema, { [reader.variable]: text }) as { value: unknown };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { fault: error.message };
  }
}

const wrong = ({ variable, expects }: Reader<unknown>) => ({ fault: `${variable} is wrong: it must be ${expects}` });

describe("every variable of every process", () => {
  test.each(variables)(
    "%s: %s, when it is missing or empty, has its default or is named",
    (_process, variable, reader) => {
      for (const text of [undefined, ""]) {
        const outcome = read(reader, text);
        if (reader.fallback !== undefined || reader.optional) expect(outcome).toEqual({ value: reader.fallback });
        else expect(outcome).toEqual({ fault: `${variable} is missing: set it to ${reader.expects}` });
      }
    },
  );

  test.each(variables)(
    "%s: %s refuses what is huge, and tells one line without the value",
    (_process, _variable, reader) => {
      for (const text of [canary.repeat(1_000), "9".repeat(100_000), `http://${"a".repeat(100_000)}/`]) {
        expect(read(reader, text)).toEqual(wrong(reader));
      }
    },
  );

  test.each(variables)("%s: %s refuses garbage", (_process, _variable, reader) => {
    const garbage = [`${canary}\n{"level":"info"}`, `\t${canary}\u0007`];
    // Whatever is printed in one line is a text, and may be the path of a file or a name.
    const other = /^(a text|texts between commas)/.test(reader.expects) ? [] : [`?? ${canary} ??`, "\u00e9\u00e9 ,;"];
    for (const text of [...garbage, ...other]) {
      const outcome = read(reader, text);
      expect([text, outcome]).toEqual([text, wrong(reader)]);
      expect(JSON.stringify(outcome)).not.toContain(canary);
    }
  });

  const numbers = variables.filter(([, , { expects }]) => /^(an integer|a number|a port)/.test(expects));
  test.each(numbers)("%s: %s refuses the wrong type and what is out of range", (_process, _variable, reader) => {
    const { least, most, isWhole } = parseLimits(reader.expects);
    const beyond = [
      "one",
      "0x1g",
      "1,5",
      "NaN",
      "Infinity",
      "--1",
      " ",
      ...(isWhole ? ["1.5"] : []),
      ...(least === undefined ? [] : [String(least - 1)]),
      ...(most === undefined ? [] : [String(most + 1)]),
    ];
    for (const text of beyond) expect([text, read(reader, text)]).toEqual([text, wrong(reader)]);
    for (const limit of [least, most]) {
      if (limit !== undefined) expect(read(reader, String(limit))).toEqual({ value: limit });
    }
  });

  const others = variables.filter(([, , { expects }]) =>
    /^(true or false|one of|a URL|an? address|addresses|a host)/.test(expects),
  );
  test.each(others)("%s: %s refuses the wrong type", (_process, _variable, reader) => {
    for (const text of ["-1.5e", "ftp://a/b", "a:99999", "a b:1", "file:///etc/passwd", "[]"]) {
      expect([text, read(reader, text)]).toEqual([text, wrong(reader)]);
    }
  });

  const files = variables.filter(([, , { expects }]) => expects.startsWith("the path of"));
  test.each(files)("%s: %s refuses a file that cannot be read", (_process, _variable, reader) => {
    for (const path of [`${file}.absent`, folder]) expect(read(reader, path)).toEqual(wrong(reader));
    expect(read(reader, file)).not.toHaveProperty("fault");
  });
});
