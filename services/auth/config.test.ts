import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readConfig } from "./config.ts";

const folder = mkdtempSync(join(tmpdir(), "taskmesh-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const complete = {
  MESH_ADDRESS: "127.0.0.1:1",
  MESH_IDENTITY_KEY_FILE: file("key.json", "{}"),
  MESH_IDENTITY_JWKS_FILE: file("jwks.json", "{}"),
  AUTH_DB_URL: "postgres://127.0.0.1/auth",
  REDIS_URL: "redis://127.0.0.1",
  KAFKA_BROKERS: "127.0.0.1:9092",
  AUTH_KEY_SECRET_FILE: file("secret", `${randomBytes(32).toString("base64")}\n`),
};

it("has the defaults of the design", () => {
  const { tokens, passwords, keys, revealAccounts } = readConfig(complete);
  expect(tokens).toEqual({ issuer: "taskmesh", accessTtl: 900, refreshTtl: 2_592_000, refreshGrace: 10 });
  expect(passwords).toEqual({ memory: 19_456, passes: 2, parallelism: 1 });
  expect(keys.secret).toHaveLength(32);
  expect(keys.rotation).toBe(2_592_000);
  expect(revealAccounts).toBe(false);
});

it.each([
  ["AUTH_ARGON2_MEMORY_KIB", "19455"],
  ["AUTH_ARGON2_PASSES", "1"],
  ["AUTH_REFRESH_GRACE", "61"],
  ["AUTH_ACCESS_TOKEN_TTL", "0"],
  ["AUTH_REVEAL_ACCOUNTS", "perhaps"],
  ["AUTH_KEY_SECRET_FILE", file("short", randomBytes(31).toString("base64"))],
  ["AUTH_DB_URL", "no url"],
])("refuses a wrong %s, by name and without repeating it", (variable, value) => {
  expect(() => readConfig({ ...complete, [variable]: value })).toThrow(new RegExp(`^${variable} is wrong`));
});
