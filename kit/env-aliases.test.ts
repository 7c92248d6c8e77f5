import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { env, readEnv } from "./env.ts";
import { unneededVariables } from "./env-aliases.ts";
import { readServiceConfig, serviceEnvironment } from "./service-config.ts";

const file = import.meta.filename;
const base = {
  MESH_ADDRESS: "127.0.0.1:1",
  MESH_IDENTITY_KEY_FILE: file,
  MESH_IDENTITY_JWKS_FILE: file,
  KAFKA_BROKERS: "a:1",
  REDIS_URL: "redis://own:1",
};
const task = (source: Record<string, string>) => readServiceConfig(serviceEnvironment("task"), { ...base, ...source });

const parts = {
  DATABASE_HOST: "postgres-master",
  DATABASE_PORT: "5433",
  DATABASE_USERNAME: "some one",
  DATABASE_PASSWORD: "p@ss/word",
  DATABASE_NAME: "loveapp",
};

describe("a database's address", () => {
  it("comes from the service's own variable, then DATABASE_URL, then DATABASE_HOST and those beside it", () => {
    const own = { TASK_DB_URL: "postgres://own/task" };
    const url = { DATABASE_URL: "postgresql://all/db" };
    expect(task({ ...parts, ...url, ...own }).database.url).toBe("postgres://own/task");
    expect(task({ ...parts, ...url }).database.url).toBe("postgresql://all/db");
    expect(task(parts).database.url).toBe("postgres://some%20one:p%40ss%2Fword@postgres-master:5433/loveapp");
    expect(task({ DATABASE_HOST: "db" }).database.url).toBe("postgres://postgres@db:5432/task");
  });

  it("that is wrong is told with the name that was set, and without its password", () => {
    const read = () => task({ ...parts, DATABASE_PORT: "no port" });
    expect(read).toThrow(/^TASK_DB_URL, taken from DATABASE_HOST and those beside it, is wrong: it must be a URL/);
    expect(read).not.toThrow(/p@ss|p%40ss/);
  });

  it("may carry sslmode, connection_limit and pool_timeout", () => {
    const url = "postgresql://user:password@host:5432/db?sslmode=require&connection_limit=7&pool_timeout=20";
    const { database } = task({ TASK_DB_URL: url });
    expect(database.url).toBe("postgresql://user:password@host:5432/db?sslmode=require&uselibpqcompat=true");
    expect(database.pool).toMatchObject({ max: 7, acquireMs: 20_000 });
    expect(task({ DATABASE_URL: url }).database.pool.max).toBe(7);
    const own = { DB_POOL_MAX: "9", DB_POOL_ACQUIRE_TIMEOUT: "2" };
    expect(task({ TASK_DB_URL: url, ...own }).database.pool).toMatchObject({ max: 9, acquireMs: 2_000 });
    expect(() => task({ TASK_DB_URL: "postgres://h/db?connection_limit=many" })).toThrow(
      "DB_POOL_MAX, taken from connection_limit in the database's URL, is wrong: it must be an integer from 1 to 1000",
    );
  });

  it("through a pooler is its own variable, else the database's at DATABASE_POOLER_HOST; what needs a session goes past it", () => {
    const own = { TASK_DB_URL: "postgres://me:secret@own:5/task" };
    const pooled = (more: Record<string, string>) => {
      const { url, directUrl } = task({ ...own, ...more }).database;
      return [url, directUrl];
    };
    expect(pooled({})).toEqual([own.TASK_DB_URL, own.TASK_DB_URL]);
    const host = { DATABASE_POOLER_HOST: "pgbouncer:6432" };
    expect(pooled(host)).toEqual(["postgres://me:secret@pgbouncer:6432/task", own.TASK_DB_URL]);
    expect(pooled({ ...host, TASK_DB_POOLER_URL: "postgres://p/task" })[0]).toBe("postgres://p/task");
  });

  it("of reads is its own variable, else that of the writes at DATABASE_READ_HOST", () => {
    const replica = (source: Record<string, string>) => task(source).database.replica;
    const read = { DATABASE_READ_HOST: "replica-1" };
    expect(replica(parts)).toBeUndefined();
    expect(replica({ ...parts, ...read })?.url).toBe("postgres://some%20one:p%40ss%2Fword@replica-1:5433/loveapp");
    expect(replica({ DATABASE_URL: "postgres://all/db", DATABASE_READ_HOST: "b:6000" })?.url).toBe(
      "postgres://b:6000/db",
    );
    const own = { TASK_DB_URL: "postgres://me:secret@own:5/task", ...read };
    expect(replica(own)).toEqual({ url: "postgres://me:secret@replica-1:5/task", maxLagMs: 2_000 });
    expect(replica({ ...own, TASK_DB_READ_URL: "postgres://c/task", DB_READ_MAX_LAG: "0.5" })).toEqual({
      url: "postgres://c/task",
      maxLagMs: 500,
    });
    const secret = join(mkdtempSync(join(tmpdir(), "taskmesh-url-")), "url");
    writeFileSync(secret, "postgres://me:secret@own/task\n");
    expect(replica({ TASK_DB_URL_FILE: secret, ...read })?.url).toBe("postgres://me:secret@replica-1/task");
    rmSync(dirname(secret), { recursive: true });
  });

  it("has a pool of ten, each of whose bounds is a variable [001.07]", () => {
    const url = { TASK_DB_URL: "postgres://h/db" };
    expect(task(url).database.pool).toEqual({ min: 2, max: 10, acquireMs: 1_500, idleMs: 10_000 });
    const set = { DB_POOL_MIN: "10", DB_POOL_MAX: "100", DB_POOL_ACQUIRE_TIMEOUT: "30", DB_POOL_IDLE_TIMEOUT: "30" };
    expect(task({ ...url, ...set }).database.pool).toEqual({ min: 10, max: 100, acquireMs: 30_000, idleMs: 30_000 });
  });
});

describe("other names", () => {
  const schema = {
    redis: env.url("REDIS_URL", ["redis"]),
    ttl: env.integer("AUTH_ACCESS_TOKEN_TTL", { default: 900 }),
    port: env.port("GATEWAY_HTTP_PORT", { default: 0 }),
    origins: env.list("GATEWAY_CORS_ORIGINS", { default: [] }),
  };
  const theirs = {
    REDIS_HOST: "redis-cluster",
    JWT_EXPIRES_IN: "15m",
    PORT: "3001",
    FRONTEND_URL: "https://yourdomain.com",
  };

  it("are taken for ours", () => {
    expect(readEnv(schema, theirs)).toEqual({
      redis: "redis://redis-cluster:6379",
      ttl: 900,
      port: 3001,
      origins: ["https://yourdomain.com"],
    });
  });

  it("count only where ours are not set", () => {
    const ours = {
      REDIS_URL: "redis://own:1",
      AUTH_ACCESS_TOKEN_TTL: "60",
      GATEWAY_HTTP_PORT: "8080",
      GATEWAY_CORS_ORIGINS: "https://own",
    };
    expect(readEnv(schema, { ...theirs, ...ours })).toEqual({
      redis: "redis://own:1",
      ttl: 60,
      port: 8080,
      origins: ["https://own"],
    });
  });

  it.each([
    ["900", 900],
    ["900s", 900],
    ["2h", 7_200],
    ["1d", 86_400],
  ])("JWT_EXPIRES_IN=%s is %i seconds", (text, seconds) => {
    expect(readEnv(schema, { ...theirs, JWT_EXPIRES_IN: text }).ttl).toBe(seconds);
  });

  it("that are wrong are told by the name that was set", () => {
    expect(() => readEnv(schema, { ...theirs, JWT_EXPIRES_IN: "soon" })).toThrow(
      "AUTH_ACCESS_TOKEN_TTL, taken from JWT_EXPIRES_IN, is wrong: it must be an integer",
    );
  });

  it("that need not be set are told in a line each, without their values", () => {
    const source = {
      JWT_SECRET: "hush",
      JWT_ACCESS_SECRET: "hush",
      AUTH_SERVICE_HOST: "a",
    };
    const lines = unneededVariables({ ...source, JWT_REFRESH_SECRET: "" });
    expect(lines.map((line) => line.split(" ")[0])).toEqual(Object.keys(source).sort());
    expect(lines.join()).not.toContain("hush");
  });
});
