import { mkdtempSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfigError, env, readEnv } from "./env.ts";

describe("readEnv", () => {
  it("reads typed values and falls back to defaults", () => {
    const values = readEnv(
      {
        port: env.port("PORT"),
        pool: env.integer("POOL", { default: 10, min: 1 }),
        reveal: env.boolean("REVEAL", { default: false }),
        brokers: env.list("BROKERS"),
        ratio: env.ratio("RATIO", { default: 1 }),
        endpoint: env.optional(env.url("ENDPOINT", ["http"])),
      },
      { PORT: "8080", BROKERS: "a:1, b:2", REVEAL: "TRUE" },
    );
    expect(values).toEqual({
      port: 8080,
      pool: 10,
      reveal: true,
      brokers: ["a:1", "b:2"],
      ratio: 1,
      endpoint: undefined,
    });
  });

  it("names every fault at once and repeats no value", () => {
    const read = () =>
      readEnv(
        {
          url: env.url("TASK_DB_URL", ["postgres"]),
          port: env.port("GRPC_PORT"),
          pool: env.integer("POOL", { min: 1, max: 5 }),
        },
        { GRPC_PORT: "s3cret", POOL: "6" },
      );
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(
      "TASK_DB_URL is missing: set it to a URL, postgres://…\n" +
        "GRPC_PORT is wrong: it must be a port from 0 to 65535\n" +
        "POOL is wrong: it must be an integer from 1 to 5",
    );
    expect(read).not.toThrow(/s3cret/);
  });

  it.each(["yes", "1", "constructor", "true\n"])("does not take %j for true or false", (text) => {
    expect(() => readEnv({ on: env.boolean("ON") }, { ON: text })).toThrow("ON is wrong: it must be true or false");
  });

  it("reads secrets from files and refuses an absent or empty one", () => {
    const path = join(mkdtempSync(join(tmpdir(), "env-")), "secret");
    writeFileSync(path, " hush \n");
    expect(readEnv({ key: env.secretFile("KEY_FILE") }, { KEY_FILE: path })).toEqual({ key: "hush" });
    expect(() => readEnv({ key: env.secretFile("KEY_FILE") }, { KEY_FILE: `${path}.absent` })).toThrow(
      "KEY_FILE is wrong: it must be the path of a readable file that is not empty",
    );
  });

  it("takes any variable from the file that <name>_FILE names", () => {
    const path = join(mkdtempSync(join(tmpdir(), "env-")), "url");
    writeFileSync(path, "postgres://task:hush@postgres/task\n");
    const schema = { url: env.url("TASK_DB_URL", ["postgres"]) };
    expect(readEnv(schema, { TASK_DB_URL_FILE: path })).toEqual({ url: "postgres://task:hush@postgres/task" });
    expect(() => readEnv(schema, { TASK_DB_URL_FILE: `${path}.absent` })).toThrow(
      "TASK_DB_URL_FILE is wrong: it must be the path of a readable file that is not empty",
    );
    expect(() => readEnv(schema, { TASK_DB_URL_FILE: path, TASK_DB_URL: "postgres://other" })).toThrow(
      "TASK_DB_URL and TASK_DB_URL_FILE are both set: keep one of them",
    );
    writeFileSync(path, "no address, but a s3cret");
    expect(() => readEnv(schema, { TASK_DB_URL_FILE: path })).toThrow(
      /^TASK_DB_URL is wrong: it must be a URL, postgres:\/\/…$/,
    );
  });

  it("tells instances apart by the host's name unless they are given one", () => {
    const schema = { id: env.instanceId("task") };
    expect(readEnv(schema, { SERVICE_INSTANCE_ID: "task-3" })).toEqual({ id: "task-3" });
    expect(readEnv(schema, {})).toEqual({ id: `task-${hostname()}` });
  });
});
