import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readConfig } from "./config.ts";
import { groupNames } from "./groups.ts";

let folder: string;
let source: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "consumers-config-"));
  const file = join(folder, "key.json");
  writeFileSync(file, "{}");
  const secret = join(folder, "secret");
  writeFileSync(secret, Buffer.alloc(32, 7).toString("base64"));
  source = {
    MESH_ADDRESS: "127.0.0.1:9000",
    MESH_IDENTITY_KEY_FILE: file,
    MESH_IDENTITY_JWKS_FILE: file,
    NOTIFICATION_DB_URL: "postgres://localhost/notification",
    PUSH_VAPID_KEY_FILE: file,
    WEBHOOK_KEY_SECRET_FILE: secret,
    KAFKA_BROKERS: "127.0.0.1:9092",
    REDIS_URL: "redis://127.0.0.1:6379",
    SMTP_URL: "smtp://127.0.0.1:1025",
    MAIL_FROM: "Taskmesh <no-reply@mesh.example>",
    PUBLIC_URL: "http://127.0.0.1:8080",
  };
});
afterAll(() => rm(folder, { recursive: true }));

describe("readConfig", () => {
  it("runs all groups unless told otherwise", () => {
    expect(readConfig(source)).toMatchObject({
      groups: [...groupNames],
      mail: { from: { address: "no-reply@mesh.example", name: "Taskmesh" } },
    });
    expect(readConfig({ ...source, CONSUMER_GROUPS: "email, email" }).groups).toEqual(["email"]);
  });

  it("lets an event that failed wait for 1 s, 10 s, 60 s and 10 min unless told otherwise", () => {
    expect(readConfig(source).retryDelaysMs).toEqual([1_000, 10_000, 60_000, 600_000]);
    expect(readConfig({ ...source, CONSUMER_RETRY_WAITS: "0.1, 1,2,3" }).retryDelaysMs).toEqual([
      100, 1000, 2000, 3000,
    ]);
    for (const wrong of ["1,2,3", "1,2,3,", "1,2,3,-4", "1,2,3,soon"]) {
      expect(() => readConfig({ ...source, CONSUMER_RETRY_WAITS: wrong })).toThrow("CONSUMER_RETRY_WAITS is wrong");
    }
  });

  it("names every fault, and no value", () => {
    const faulty = { ...source, CONSUMER_GROUPS: "email,fax", MAIL_FROM: "nobody", SMTP_URL: "" };
    expect(() => readConfig(faulty)).toThrow(
      [
        `CONSUMER_GROUPS is wrong: it must be some of ${groupNames.join(", ")}, between commas`,
        "SMTP_URL is missing: set it to a URL, smtp://… or smtps://…",
        "MAIL_FROM is wrong: it must be a mail address, such as: Taskmesh <no-reply@example.org>",
      ].join("\n"),
    );
  });
});
