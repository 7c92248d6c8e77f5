import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Client, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { signJws } from "#kit/auth/jws.ts";
import { deriveKey } from "#kit/auth/sealing.ts";
import { keyPair } from "#kit/auth/testing.ts";
import { Code } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { openSigningKey } from "../../../services/auth/tokens/signing-key.ts";
import { insist, newEmail, Pair, password } from "../auth/pair.ts";

type Part = Record<string, unknown>;

let pair: Pair;
let accessToken = "";
let userId = "";
let realKey: { kid: string; key: ReturnType<typeof openSigningKey> };

beforeAll(async () => {
  pair = await Pair.start();
  const auth = await pair.auth();
  const credentials = { email: newEmail(), password };
  const reply = await insist(() => auth.register(credentials));
  accessToken = reply.accessToken;
  userId = reply.user?.userId ?? "";
  realKey = await signingKey();
});
afterAll(() => pair.close());

/** The key that the auth service signs with, as only a test can get at it. */
async function signingKey() {
  const secret = Buffer.from(await readFile(pair.env("auth").AUTH_KEY_SECRET_FILE ?? "", "utf8"), "base64");
  const { rows } = await pair.authDb.query("SELECT kid, public_x, private_sealed FROM signing_key");
  const [{ kid, public_x: publicX, private_sealed: privateSealed }] = rows;
  const key = openSigningKey({ kid, publicX, privateSealed }, deriveKey(secret, "taskmesh signing keys"));
  return { kid, key };
}

/** A client from outside of the mesh: any gRPC client, with no identity of a service. */
function outsider(headers: Record<string, string>): {
  user: Client<typeof UserService>;
  auth: Client<typeof AuthService>;
} {
  const addHeaders: Interceptor = (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
  const transport = (name: "auth" | "user") =>
    createGrpcTransport({ baseUrl: `http://${pair.address(name)}`, interceptors: [addHeaders] });
  return {
    user: createClient(UserService, transport("user")),
    auth: createClient(AuthService, transport("auth")),
  };
}

async function refusal(call: Promise<unknown>): Promise<{ code: number; reason: string | undefined }> {
  const error = await call.then(
    () => undefined,
    (caught: unknown) => ConnectError.from(caught),
  );
  if (error === undefined) return { code: 0, reason: "accepted" };
  return { code: error.code, reason: error.findDetails(ErrorInfoSchema)[0]?.reason };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const claims = (changes: Part = {}): Part => {
  const now = Math.floor(Date.now() / 1000);
  const standard = { iss: "taskmesh", aud: "taskmesh", sub: userId, sid: newId(), jti: newId(), iat: now };
  return { ...standard, exp: now + 900, ...changes };
};
const signed = (changes: Part = {}, typ = "at+jwt") => signJws({ typ, kid: realKey.kid }, claims(changes), realKey.key);
const now = () => Math.floor(Date.now() / 1000);

describe("access to the user service", () => {
  it("is open with a token that the auth service signed", async () => {
    expect((await outsider(bearer(accessToken)).user.getMe({})).user?.userId).toBe(userId);
    expect((await outsider(bearer(signed())).user.getMe({})).user?.userId).toBe(userId);
  });

  it.each<[string, () => Record<string, string>]>([
    ["no token", () => ({})],
    ["a token of another scheme", () => ({ authorization: `Basic ${accessToken}` })],
    ["an unsigned token", () => bearer(`${encode({ alg: "none", typ: "at+jwt" })}.${encode(claims())}.`)],
    ["a token without its signature", () => bearer(accessToken.split(".").slice(0, 2).join("."))],
    ["a changed claim", () => bearer(accessToken.replace(/\.[^.]+\./, `.${encode(claims({ sub: newId() }))}.`))],
    ["a key that is not ours", () => bearer(signJws({ typ: "at+jwt", kid: realKey.kid }, claims(), keyPair("x").key))],
    ["an unknown key", () => bearer(signJws({ typ: "at+jwt", kid: "unknown" }, claims(), keyPair("unknown").key))],
    [
      "a key in its header",
      () => bearer(signJws({ typ: "at+jwt", kid: "x", ...jwk("x") }, claims(), keyPair("x").key)),
    ],
    ["an HMAC by the public key", () => bearer(hmacToken())],
    ["the type of another token", () => bearer(signed({}, "svc+jwt"))],
    ["another issuer", () => bearer(signed({ iss: "someone" }))],
    ["another audience", () => bearer(signed({ aud: "mesh" }))],
    ["no session", () => bearer(signed({ sid: undefined }))],
    ["a future time of issue", () => bearer(signed({ iat: now() + 600, exp: now() + 900 }))],
  ])("is closed with %s", async (_name, headers) => {
    expect(await refusal(outsider(headers()).user.getMe({}))).toEqual({
      code: Code.UNAUTHENTICATED,
      reason: "TOKEN_INVALID",
    });
  });

  it("is closed with an expired token, and says so", async () => {
    const expired = signed({ iat: now() - 1000, exp: now() - 100 });
    expect(await refusal(outsider(bearer(expired)).user.getMe({}))).toEqual({
      code: Code.UNAUTHENTICATED,
      reason: "TOKEN_EXPIRED",
    });
  });

  it("refuses people what only services may call", async () => {
    const { user, auth } = outsider(bearer(accessToken));
    const calls = [
      user.batchGetUsers({ userIds: [userId] }),
      user.createUser({ userId: newId(), email: newEmail(), displayName: "X" }),
      auth.listRevokedSessions({}),
    ];
    for (const call of calls) {
      expect(await refusal(call)).toEqual({ code: Code.PERMISSION_DENIED, reason: "CALLER_NOT_ALLOWED" });
    }
  });

  it("refuses an identity that no service has", async () => {
    const identity = signJws(
      { typ: "svc+jwt", kid: "auth" },
      { iss: "mesh", sub: "service:auth", aud: "mesh", iat: now(), exp: now() + 300 },
      keyPair("auth").key,
    );
    const { user } = outsider({ "x-mesh-identity": identity });
    expect(await refusal(user.batchGetUsers({ userIds: [userId] }))).toEqual({
      code: Code.UNAUTHENTICATED,
      reason: "TOKEN_INVALID",
    });
  });
});

const jwk = (kid: string) => ({ jwk: keyPair(kid).publicJwk });

function hmacToken(): string {
  const text = `${encode({ alg: "HS256", typ: "at+jwt", kid: realKey.kid })}.${encode(claims())}`;
  return `${text}.${createHmac("sha256", realKey.kid).update(text).digest("base64url")}`;
}
