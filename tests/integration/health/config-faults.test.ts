import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../_util/database.ts";
import { newPushKeyFile, newSecretFile } from "../../_util/push-keys.ts";
import { schemas } from "../../repo/env-example.ts";
import { type Program, run, writeIdentities } from "./processes.ts";

const entries: Record<string, string> = {
  auth: "services/auth/main.ts",
  user: "services/user/main.ts",
  task: "services/task/main.ts",
  notification: "services/notification/main.ts",
  gateway: "gateway/main.ts",
  consumers: "consumers/main.ts",
  mail: "cli/mail/main.ts",
};

const ofEveryProcess = new Set(Object.values(schemas["every process"] ?? {}).map(({ variable }) => variable));

let identities: Awaited<ReturnType<typeof writeIdentities>>;
let database: TestDatabase;
beforeAll(async () => {
  identities = await writeIdentities(["task", "consumers"]);
  database = await createTestDatabase("config_faults");
});
afterAll(async () => {
  await identities.remove();
  await database.drop();
});

async function endOf(program: Program): Promise<{ code: number | string; lines: string[] }> {
  const code = await program.ended;
  return { code, lines: program.output().trim().split("\n") };
}

describe.each(Object.entries(entries))("%s, started wrongly", (name, entry) => {
  const readers = Object.values(schemas[name] ?? {});
  const required = readers.filter(({ fallback, optional }) => fallback === undefined && !optional);

  test("with nothing set names all that is missing, or needs nothing", async () => {
    if (required.length === 0) return;
    const { code, lines } = await endOf(run(entry, {}));
    expect(code).toBe(1);
    expect(lines.sort()).toEqual(
      required
        .map(({ variable, expects }) => `${name} cannot start: ${variable} is missing: set it to ${expects}`)
        .sort(),
    );
  });

  test("with a secret where none belongs names each variable, and does not show the secret", async () => {
    const canary = "c4n4ry\u0007";
    const own = readers.filter(({ variable }) => !ofEveryProcess.has(variable));
    const env = Object.fromEntries(own.map(({ variable }) => [variable, canary]));
    const { code, lines } = await endOf(run(entry, env));
    expect(code).toBe(1);
    expect(lines.join("\n")).not.toContain("c4n4ry");
    const named = lines.map(
      (line) => new RegExp(`^${name} cannot start: (\\w+) is wrong: it must be .+$`).exec(line)?.[1],
    );
    expect(new Set(named)).toEqual(new Set(Object.keys(env)));
  });
});

test("what every process reads is refused as well, before anything else", async () => {
  const env = Object.fromEntries(
    Object.values(schemas["every process"] ?? {}).map(({ variable }) => [variable, "c4n4ry\u0007"]),
  );
  const { code, lines } = await endOf(run("--import", env, ["./observability/register.ts", entries.gateway as string]));
  expect(code).toBe(1);
  const telemetry = Object.keys(env).filter((variable) => !variable.startsWith("SHUTDOWN_"));
  expect(lines.map((line) => /^(\w+) is wrong: it must be .+$/.exec(line)?.[1]).sort()).toEqual(telemetry.sort());
});

describe("a task service that could start but for", () => {
  const settings = () => ({
    ...identities.env("task"),
    MESH_ADDRESS: "127.0.0.1:1",
    TASK_DB_URL: database.url,
    REDIS_URL: inject("redis"),
    KAFKA_BROKERS: inject("kafka"),
    START_TIMEOUT: "0",
  });
  const start = (env: Record<string, string>) => endOf(run(entries.task as string, { ...settings(), ...env }));
  const oneLine = (fault: RegExp) => ({ code: 1, lines: [expect.stringMatching(fault)] });

  test("its key", async () => {
    const { MESH_IDENTITY_JWKS_FILE: notAKey } = identities.env("task");
    expect(await start({ MESH_IDENTITY_KEY_FILE: notAKey })).toEqual(
      oneLine(/^task cannot start: MESH_IDENTITY_KEY_FILE is wrong: .+$/),
    );
  });

  test("the port, which another program holds", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => holder.once("listening", resolve));
    const { port } = holder.address() as { port: number };
    try {
      const fault = new RegExp(
        `^task cannot start: port ${port} is taken by another program: stop that, or set GRPC_PORT to another$`,
      );
      expect(await start({ GRPC_PORT: `${port}` })).toEqual(oneLine(fault));
      const admin = new RegExp(
        `^task cannot start: port ${port} is taken by another program: stop that, or set ADMIN_PORT to another$`,
      );
      expect(await start({ ADMIN_PORT: `${port}` })).toEqual(oneLine(admin));
    } finally {
      holder.close();
    }
  });

  test("the password of its database, which is not told", async () => {
    const url = new URL(database.url);
    Object.assign(url, { username: "nobody_of_this_name", password: "c4n4ry" });
    const { code, lines } = await start({ TASK_DB_URL: url.href });
    expect({ code, lines }).toEqual(oneLine(/^task cannot start: the database at .+ refuses .+: .+$/));
    expect(lines.join()).not.toContain("c4n4ry");
  });

  test("its database, which is away", async () => {
    const url = new URL(database.url);
    url.port = "1";
    expect(await start({ TASK_DB_URL: url.href })).toEqual(
      oneLine(/^task cannot start: the database at 127\.0\.0\.1:1\/\S+ does not answer: ECONNREFUSED$/),
    );
  });
});

test("consumers without Kafka say which address does not answer", async () => {
  const program = run(entries.consumers as string, {
    ...identities.env("consumers"),
    MESH_ADDRESS: "127.0.0.1:1",
    NOTIFICATION_DB_URL: database.url,
    REDIS_URL: inject("redis"),
    KAFKA_BROKERS: "127.0.0.1:1",
    SMTP_URL: "smtp://127.0.0.1:1",
    MAIL_FROM: "Taskmesh <no-reply@example.org>",
    PUBLIC_URL: "http://127.0.0.1:8080",
    PUSH_VAPID_KEY_FILE: newPushKeyFile(),
    WEBHOOK_KEY_SECRET_FILE: newSecretFile(),
    START_TIMEOUT: "0",
  });
  const { code, lines } = await endOf(program);
  expect([code, lines]).toEqual([
    1,
    [expect.stringMatching(/^consumers cannot start: Kafka at 127\.0\.0\.1:1 does not let the group \w+ in: .+$/)],
  ]);
});
