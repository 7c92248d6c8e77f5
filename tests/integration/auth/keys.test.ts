import { createPrivateKey } from "node:crypto";
import { calculateJwkThumbprint } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import { ConfigError } from "#kit/env.ts";
import type { Client } from "#kit/grpc/client.ts";
import { as, insist, newEmail, Pair, password } from "./pair.ts";

let pair: Pair;
let auth: Client<typeof AuthService>;
let user: Client<typeof UserService>;
const credentials = { email: newEmail(), password };

beforeAll(async () => {
  pair = await Pair.prepare();
  const addresses = await Promise.all([pair.startAuth(), pair.startUser(), pair.addAuth(), pair.addAuth()]);
  expect(addresses).toHaveLength(4);
  [auth, user] = await Promise.all([pair.auth(), pair.user()]);
  await insist(() => auth.register(credentials));
});
afterAll(() => pair.close());

const kids = async (client = auth): Promise<string[]> => (await client.getJwks({})).keys.map(({ kid }) => kid);
const headerOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString());
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

async function restart(): Promise<void> {
  await pair.stop("auth");
  await pair.startAuth();
}

/** As if all keys had been made so many seconds earlier. */
const age = (seconds: number) =>
  pair.authDb.query(
    `UPDATE signing_key SET sign_from = sign_from - make_interval(secs => $1),
       sign_until = sign_until - make_interval(secs => $1)`,
    [seconds],
  );

const day = 86_400;

describe("AuthService.GetJwks", () => {
  it("lists one key, the same at each of several instances that started at once", async () => {
    const address = await pair.addAuth();
    const other = await pair.clientAt(AuthService, address);
    const { keys } = await auth.getJwks({});
    expect(keys).toMatchObject([{ kty: "OKP", crv: "Ed25519", alg: "EdDSA", use: "sig" }]);
    expect((await other.getJwks({})).keys).toEqual(keys);
  });

  it("names a key by its thumbprint", async () => {
    const [key] = (await auth.getJwks({})).keys;
    expect(key?.kid).toBe(await calculateJwkThumbprint({ kty: "OKP", crv: "Ed25519", x: key?.x ?? "" }));
  });

  it("keeps the keys over a restart", async () => {
    const { accessToken } = await auth.login(credentials);
    const before = await kids();
    await restart();
    expect(await kids()).toEqual(before);
    await user.getMe({}, as(accessToken));
  });

  it("has private keys in the database only encrypted", async () => {
    const { rows } = await pair.authDb.query("SELECT private_sealed FROM signing_key");
    for (const { private_sealed: key } of rows) {
      expect(() => createPrivateKey({ key, format: "der", type: "pkcs8" })).toThrow();
      expect(key.includes(Buffer.from("2b6570", "hex"))).toBe(false);
    }
  });

  it("does not start with another secret, and says what is wrong", async () => {
    const other = await Pair.prepare();
    const start = pair.addAuth({ AUTH_KEY_SECRET_FILE: other.env("auth").AUTH_KEY_SECRET_FILE ?? "" });
    await expect(start).rejects.toThrow(ConfigError);
    await expect(start).rejects.toThrow(/AUTH_KEY_SECRET_FILE/);
    await other.close();
  });

  it("publishes the next key a day ahead, signs with it in its turn, and keeps the old one while it is needed", async () => {
    const [old = ""] = await kids();
    await age(29.5 * day);
    await restart();
    const both = await kids();
    expect(both).toHaveLength(2);
    expect(both[0]).toBe(old);
    const oldToken = (await auth.login(credentials)).accessToken;
    expect(headerOf(oldToken).kid).toBe(old);

    await age(0.5 * day + 60);
    await restart();
    const newToken = (await auth.login(credentials)).accessToken;
    expect(headerOf(newToken).kid).toBe(both[1]);
    expect(await kids()).toEqual(both);
    await pair.stop("user");
    await pair.startUser();
    await user.getMe({}, as(oldToken));
    await user.getMe({}, as(newToken));

    await age(1000);
    await restart();
    expect(await kids()).toEqual([both[1]]);
  });
});

describe("access tokens", () => {
  it("say what RFC 9068 asks for and nothing about the person", async () => {
    const { accessToken, user: me } = await auth.login(credentials);
    const [kid] = await kids();
    expect(headerOf(accessToken)).toEqual({ alg: "EdDSA", typ: "at+jwt", kid });
    const claims = claimsOf(accessToken);
    expect(claims).toEqual({
      iss: "taskmesh",
      aud: "taskmesh",
      sub: me?.userId,
      sid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: claims.iat + 900,
    });
  });
});
