import { randomUUID } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthEvent, AuthEventSchema } from "#gen/auth/v1/auth_events_pb.js";
import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { apiKeyId, newApiKey } from "#kit/auth/api-key.ts";
import { openDatabase } from "#kit/db/database.ts";
import { Code } from "#kit/errors.ts";
import type { Client } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { announceEndingKeys } from "../../../services/auth/api-key-notices.ts";
import { entities, migrations } from "../../../services/auth/db/mikro-orm.config.ts";
import { call, Person } from "../../_util/person.ts";
import { until } from "../../_util/until.ts";
import { authEvent, openStack } from "../notification/stack.ts";
import { KeyEdge } from "./key-edge.ts";
import { as, Pair } from "./pair.ts";

let pair: Pair;
let mesh: KeyEdge;
let auth: Client<typeof AuthService>;
let edge: string;
let other: string;
let ada: Person;

const read = { name: "reader", scopes: ["tasks:read"] };
const make = (body: object, person = ada) => person.call("POST /v1/apiKeys", body);

async function newKey(body: object = read, person = ada): Promise<string> {
  const answer = await make(body, person);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.key;
}

const use = (key: string, target = "GET /v1/tasks", body?: unknown) => call(edge, target, body, { token: key });
const useAt = (at: string, key: string) => call(at, "GET /v1/tasks", undefined, { token: key });

beforeAll(async () => {
  pair = await Pair.start();
  auth = await pair.auth();
  mesh = await KeyEdge.start(pair);
  [edge, other] = await Promise.all([mesh.gateway(), mesh.gateway()]);
  ada = await Person.register(edge, "Ada");
});
afterAll(async () => {
  await mesh.close();
  await pair.close();
});

describe("making a key", () => {
  it("shows the key once, with what is known of it, and keeps a digest only", async () => {
    const { status, body } = await make({ name: "nightly export", scopes: ["tasks:read", "users:read"] });
    expect(status).toBe(200);
    expect(body.key).toMatch(/^tmk_[0-9a-f]{32}_[0-9A-Za-z]{49}$/);
    expect(apiKeyId(body.key)).toBe(body.apiKey.apiKeyId);
    expect(body.apiKey).toMatchObject({ name: "nightly export", scopes: ["tasks:read", "users:read"] });
    const days = (Date.parse(body.apiKey.expireTime) - Date.parse(body.apiKey.createTime)) / 86_400_000;
    expect(days).toBe(366);
    const { apiKeys } = await ada.ask("GET /v1/apiKeys");
    expect(apiKeys[0]).toEqual(body.apiKey);
    const rows = await pair.authDb.query("SELECT to_jsonb(api_key)::text AS row FROM api_key");
    const secret = body.key.slice(-49, -6);
    for (const { row } of rows.rows) expect(row).not.toContain(secret);
    expect(rows.rows.length).toBeGreaterThan(0);
  });

  it.each([
    ["no name", { scopes: ["tasks:read"] }, "name"],
    ["a name with a line break", { name: "a\nb", scopes: ["tasks:read"] }, "name"],
    ["no scope", { name: "a" }, "scopes"],
    ["a scope twice", { name: "a", scopes: ["tasks:read", "tasks:read"] }, "scopes"],
    ["a scope of accounts", { name: "a", scopes: ["auths:write"] }, "scopes[0]"],
    ["an unknown scope", { name: "a", scopes: ["tasks"] }, "scopes[0]"],
    ["an end that is past", { ...read, expireTime: "2020-01-01T00:00:00Z" }, "expireTime"],
    ["an end too far ahead", { ...read, expireTime: "2999-01-01T00:00:00Z" }, "expireTime"],
  ])("refuses %s and names the field", async (_what, body, field) => {
    const answer = await make(body);
    expect(answer).toMatchObject({ status: 400, body: { fieldViolations: [{ field }] } });
  });

  it("is done once for one Idempotency-Key, and the answer is kept encrypted", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const first = await ada.call("POST /v1/apiKeys", read, { headers });
    const again = await ada.call("POST /v1/apiKeys", read, { headers });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect((await use(again.body.key)).status).toBe(200);
    const stored = await pair.authDb.query("SELECT encode(response, 'escape') AS text FROM idempotency_key");
    for (const { text } of stored.rows) expect(text).not.toContain("tmk_");
  });

  it("ends at 50 keys that are good at a time", async () => {
    const eve = await Person.register(edge, "Eve");
    await newKey(read, eve);
    await pair.authDb.query(
      `INSERT INTO api_key (api_key_id, user_id, name, scopes, key_hash, create_time, expire_time)
       SELECT gen_random_uuid(), user_id, name, scopes, key_hash, create_time, expire_time
       FROM api_key, generate_series(1, 46) WHERE user_id = $1`,
      [eve.userId],
    );
    const answers = await Promise.all(Array.from({ length: 8 }, () => make(read, eve)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    const refused = answers.filter(({ status }) => status !== 200);
    for (const { body } of refused) expect(body).toMatchObject({ status: 400, reason: "LIMIT_REACHED" });
    const { apiKeys } = await eve.ask("GET /v1/apiKeys");
    expect(apiKeys).toHaveLength(50);
    await eve.ask(`DELETE /v1/apiKeys/${apiKeys[7].apiKeyId}`);
    expect((await make(read, eve)).status).toBe(200);
  });
});

it("is listed for a while after its end, but only the last hundred of those", async () => {
  const eve = await Person.register(edge, "Eve");
  const live = apiKeyId(await newKey(read, eve));
  await pair.authDb.query(
    `INSERT INTO api_key (api_key_id, user_id, name, scopes, key_hash, create_time, expire_time)
     SELECT gen_random_uuid(), user_id, 'over ' || n, scopes, key_hash, create_time, now() - n * interval '1 hour'
     FROM api_key, generate_series(1, 150) AS n WHERE user_id = $1`,
    [eve.userId],
  );
  const { apiKeys } = await eve.ask("GET /v1/apiKeys");
  const names = apiKeys
    .filter((key: { apiKeyId: string }) => key.apiKeyId !== live)
    .map(({ name }: { name: string }) => name);
  expect(apiKeys).toHaveLength(101);
  expect(new Set(names)).toEqual(new Set(Array.from({ length: 100 }, (_, n) => `over ${n + 1}`)));
});

describe("using a key", () => {
  it("is for its owner, on every call that its scopes name and on no other", async () => {
    const reader = await newKey({ name: "r", scopes: ["tasks:read", "users:read"] });
    expect((await use(reader)).status).toBe(200);
    expect((await use(reader, "GET /v1/me")).body).toMatchObject({ userId: ada.userId });
    for (const [target, body, scope] of [
      ["POST /v1/tasks", { title: "a" }, "tasks:write"],
      ["PATCH /v1/me", { displayName: "b" }, "users:write"],
    ] as const) {
      expect(await use(reader, target, body)).toMatchObject({
        status: 403,
        body: { code: "PERMISSION_DENIED", reason: "SCOPE_MISSING", metadata: { scope } },
      });
    }
    const writer = await newKey({ name: "w", scopes: ["tasks:write"] });
    expect((await use(writer, "POST /v1/tasks", { title: "a" })).status).toBe(200);
    expect(await use(writer)).toMatchObject({ status: 403, body: { metadata: { scope: "tasks:read" } } });
  });

  it("does not make, list or revoke keys, nor end sessions: accounts are for people", async () => {
    const key = await newKey({ name: "all", scopes: ["tasks:read", "tasks:write", "users:read", "users:write"] });
    for (const target of [
      "POST /v1/apiKeys",
      "GET /v1/apiKeys",
      `DELETE /v1/apiKeys/${apiKeyId(key)}`,
      "POST /v1/auth/logout",
    ]) {
      const body = target.startsWith("POST /v1/apiKeys") ? read : undefined;
      expect(await use(key, target, body), target).toMatchObject({ status: 403, body: { reason: "SCOPE_MISSING" } });
    }
  });

  it("is checked by each service itself, and a service may ask another one on its behalf", async () => {
    const { accessToken } = await auth.exchangeApiKey({ key: await newKey() });
    const user = await pair.user();
    await expect(user.getMe({}, as(accessToken))).rejects.toMatchObject({
      code: Code.PERMISSION_DENIED,
      reason: ErrorReason.SCOPE_MISSING,
      message: "the API key lacks the scope users:read",
    });
    const onBehalf = await pair.clientAt(UserService, pair.address("user"), "task");
    await expect(onBehalf.lookupUser({ email: ada.email }, as(accessToken))).resolves.toMatchObject({
      user: { userId: ada.userId },
    });
  });

  it("asks the auth service once however many calls come, and never for a typo", async () => {
    const key = await newKey();
    const asked = () => mesh.arrivals.filter((name) => name === "ExchangeApiKey").length;
    const before = asked();
    const answers = await Promise.all(Array.from({ length: 30 }, () => use(key)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(asked() - before).toBe(1);
    const typo = key.slice(0, -1) + (key.endsWith("0") ? "1" : "0");
    const forged = [typo, `${key}0`, "tmk_", `tmk_${key}`, key.toUpperCase()];
    for (const text of forged) {
      expect(await use(text), text).toMatchObject({ status: 401, body: { reason: "TOKEN_INVALID" } });
    }
    expect(asked() - before).toBe(1);
  });

  it("is refused when it was made up, though its checksum fits, and the refusal is remembered", async () => {
    const key = await newKey();
    const before = mesh.arrivals.length;
    const sameId = newApiKey(apiKeyId(key) ?? "");
    const noId = newApiKey(newId());
    for (const forged of [sameId, noId, sameId, noId]) {
      const { status, body, headers } = await use(forged);
      expect([status, body.reason]).toEqual([401, "TOKEN_INVALID"]);
      expect(JSON.stringify(body)).not.toContain("tmk_");
      expect(headers.get("www-authenticate")).toMatch(/^Bearer .*invalid_token/);
    }
    // What the gateway asks of its own accord now and then is not meant.
    const asked = mesh.arrivals.slice(before).filter((name) => name !== "ListRevokedSessions" && name !== "GetJwks");
    expect(asked).toEqual(["ExchangeApiKey", "ExchangeApiKey"]);
    expect((await use(key)).status).toBe(200);
  });

  it("ends when the key expires", async () => {
    const expireTime = new Date(Date.now() + 5_000);
    const key = await newKey({ ...read, expireTime: expireTime.toISOString() });
    expect((await use(key)).status).toBe(200);
    const { accessToken, expiresIn } = await auth.exchangeApiKey({ key });
    expect(expiresIn).toBeLessThanOrEqual(5);
    expect(accessToken).not.toContain("tmk_");
    await until("the key to expire", async () => (await use(key)).status === 401);
    expect(Date.now()).toBeGreaterThanOrEqual(expireTime.getTime());
    await expect(auth.exchangeApiKey({ key })).rejects.toMatchObject({ reason: ErrorReason.TOKEN_EXPIRED });
    const { apiKeys } = await ada.ask("GET /v1/apiKeys");
    expect(apiKeys).toContainEqual(expect.objectContaining({ apiKeyId: apiKeyId(key) }));
  });

  it("is noted to the minute, at most once in one", async () => {
    const key = await newKey();
    const id = apiKeyId(key);
    const known = async () =>
      (await ada.ask("GET /v1/apiKeys")).apiKeys.find((each: { apiKeyId: string }) => each.apiKeyId === id);
    expect(await known()).not.toHaveProperty("lastUsedTime");
    await use(key);
    const { lastUsedTime } = await known();
    expect(Math.abs(Date.parse(lastUsedTime) - Date.now())).toBeLessThan(60_000);
    await auth.exchangeApiKey({ key });
    expect((await known()).lastUsedTime).toBe(lastUsedTime);
    await pair.authDb.query("UPDATE api_key SET last_used_time = now() - interval '61 seconds' WHERE api_key_id = $1", [
      id,
    ]);
    await auth.exchangeApiKey({ key });
    expect(Date.parse((await known()).lastUsedTime)).toBeGreaterThanOrEqual(Date.parse(lastUsedTime));
  });
});

describe("revoking a key", () => {
  it("ends it at every gateway, also where it is in use, and once and for all", async () => {
    const key = await newKey();
    expect([(await use(key)).status, (await useAt(other, key)).status]).toEqual([200, 200]);
    const { accessToken } = await auth.exchangeApiKey({ key });
    await ada.ask(`DELETE /v1/apiKeys/${apiKeyId(key)}`);
    for (const at of [edge, other]) {
      await until("the key to be refused", async () => (await useAt(at, key)).status === 401);
      expect((await useAt(at, key)).body).toMatchObject({ reason: "TOKEN_INVALID" });
    }
    await until("its token to be refused", async () => (await useAt(edge, accessToken)).status === 401);
    await expect(auth.exchangeApiKey({ key })).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
    expect((await ada.call(`DELETE /v1/apiKeys/${apiKeyId(key)}`)).status).toBe(200);
    const { apiKeys } = await ada.ask("GET /v1/apiKeys");
    expect(apiKeys).not.toContainEqual(expect.objectContaining({ apiKeyId: apiKeyId(key) }));
  });

  it("is its owner's: for others there is no such key", async () => {
    const key = await newKey();
    const eve = await Person.register(edge, "Eve");
    for (const id of [apiKeyId(key), newId()]) {
      const answer = await eve.call(`DELETE /v1/apiKeys/${id}`);
      expect(answer).toMatchObject({ status: 404, body: { reason: "API_KEY_NOT_FOUND" } });
    }
    expect((await use(key)).status).toBe(200);
    expect((await ada.call("DELETE /v1/apiKeys/x")).body).toMatchObject({ fieldViolations: [{ field: "apiKeyId" }] });
  });

  it("needs a session that is alive, although the token would be believed", async () => {
    const eve = await Person.register(edge, "Eve");
    await auth.logout({}, as(eve.token));
    for (const ask of [
      () => auth.createApiKey(read, as(eve.token)),
      () => auth.listApiKeys({}, as(eve.token)),
      () => auth.revokeApiKey({ apiKeyId: newId() }, as(eve.token)),
    ]) {
      await expect(ask()).rejects.toMatchObject({ reason: ErrorReason.TOKEN_INVALID });
    }
  });
});

describe("the end of a key", () => {
  it("[auth.07] is told to its owner by mail before it comes, once, and of no key that is revoked, has time, is over or was made for less than a day", async () => {
    const stack = await openStack("key-end");
    const lifecycle = new Lifecycle();
    try {
      await Promise.all([stack.start("notification"), stack.start("email")]);
      stack.peers.addPerson({ userId: ada.userId, email: ada.email, displayName: "Ada" });
      const url = pair.env("auth").AUTH_DB_URL ?? "";
      const parts = { entities, migrations, lifecycle, applicationName: "key-end" };
      const database = await openDatabase({ url, ...parts });
      const age = (key: string, life = "364 days", left = "6 days") =>
        pair.authDb.query(
          "UPDATE api_key SET create_time = now() - $2::interval, expire_time = now() + $3::interval WHERE api_key_id = $1",
          [apiKeyId(key), life, left],
        );
      const [old, revoked] = [await newKey({ ...read, name: "nightly export" }), await newKey()];
      const [young, brief, over] = [await newKey(), await newKey(), await newKey()];
      await Promise.all([
        age(old),
        age(revoked),
        age(brief, "59 minutes", "1 minute"),
        age(over, "364 days", "-1 hour"),
      ]);
      await ada.ask(`DELETE /v1/apiKeys/${apiKeyId(revoked)}`);
      await Promise.all([announceEndingKeys(database), announceEndingKeys(database)]);
      await announceEndingKeys(database);

      const { rows } = await pair.authDb.query(
        "SELECT payload FROM outbox_event WHERE type = 'auth.v1.ApiKeyExpiring'",
      );
      const told = rows.map(({ payload }) => fromBinary(AuthEventSchema, payload));
      const about = (key: string) =>
        told.filter(({ fact }) => fact.case === "apiKeyExpiring" && fact.value.apiKeyId === apiKeyId(key));
      const counts = [old, revoked, young, brief, over].map((key) => about(key).length);
      expect(counts).toEqual([1, 0, 0, 0, 0]);
      const [event] = about(old);
      expect(event).toMatchObject({ userId: ada.userId, fact: { value: { name: "nightly export" } } });
      await stack.publish([authEvent(stack.topics.events, event as AuthEvent)]);
      const [mail] = await until("the mail", () => {
        const mails = stack.mailbox.to(ada.email);
        return mails.length > 0 && mails;
      });
      expect(mail?.mail.subject).toBe("Your API key “nightly export” ends soon");
      expect(mail?.mail.text).toContain("It is refused from ");
      expect(JSON.stringify(mail?.mail)).not.toContain("tmk_");
    } finally {
      await lifecycle.stop();
      await stack.close();
    }
  });
});

describe("trading a key", () => {
  it("is for the gateway only", async () => {
    const key = await newKey();
    await expect((await pair.auth("user")).exchangeApiKey({ key })).rejects.toMatchObject({
      reason: ErrorReason.CALLER_NOT_ALLOWED,
    });
    const answer = await ada.call("POST /auth.v1.AuthService/ExchangeApiKey", { key });
    expect(answer.status).toBe(404);
  });

  it("goes on with the token at hand while the auth service is away", async () => {
    const key = await newKey();
    expect((await use(key)).status).toBe(200);
    await pair.stop("auth");
    expect((await use(key)).status).toBe(200);
    const unknown = newApiKey(newId());
    expect((await use(unknown)).status).toBe(503);
    await pair.startAuth();
    await until("keys to be traded again", async () => (await use(unknown)).status === 401);
  });
});
