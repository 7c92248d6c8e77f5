import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { revokedChannel } from "#kit/auth/revocations.ts";
import { Code } from "#kit/errors.ts";
import type { Client } from "#kit/grpc/client.ts";
import { openSuccessor, refreshTokenHash } from "../../../services/auth/tokens/refresh-token.ts";
import { until } from "../../_util/until.ts";
import { as, insist, newEmail, Pair, password } from "./pair.ts";

let pair: Pair;
let auth: Client<typeof AuthService>;
let internal: Client<typeof AuthService>;
const email = newEmail();
const refused = { code: Code.UNAUTHENTICATED, reason: ErrorReason.REFRESH_TOKEN_INVALID };

beforeAll(async () => {
  pair = await Pair.start({ AUTH_REFRESH_GRACE: "60" });
  [auth, internal] = await Promise.all([pair.auth(), pair.auth("task")]);
  await insist(() => auth.register({ email, password }));
});
afterAll(() => pair.close());

const signIn = () => insist(() => auth.login({ email, password }));
const refresh = (refreshToken: string) => auth.refreshToken({ refreshToken });
const sessionOf = (accessToken: string): string =>
  JSON.parse(Buffer.from(accessToken.split(".")[1] ?? "", "base64url").toString()).sid;

/** As if the token had been used so many seconds earlier than it was. */
async function ageUse(token: string, seconds: number): Promise<void> {
  await pair.authDb.query(
    "UPDATE refresh_token SET used_time = used_time - make_interval(secs => $2) WHERE token_hash = $1",
    [refreshTokenHash(token), seconds],
  );
}

async function eventsOf(sessionId: string): Promise<string[]> {
  const { rows } = await pair.authDb.query("SELECT type, payload FROM outbox_event ORDER BY sequence");
  return rows.filter(({ payload }) => payload.includes(sessionId)).map(({ type }) => type);
}

describe("AuthService.RefreshToken", () => {
  it("trades a token for new ones of the same session", async () => {
    const first = await signIn();
    const second = await refresh(first.refreshToken);
    expect(second).toMatchObject({ expiresIn: 900, user: first.user });
    expect(second.refreshToken).not.toBe(first.refreshToken);
    expect(sessionOf(second.accessToken)).toBe(sessionOf(first.accessToken));
    const third = await refresh(second.refreshToken);
    expect(sessionOf(third.accessToken)).toBe(sessionOf(first.accessToken));
  });

  it("names a missing token", async () => {
    await expect(refresh("")).rejects.toMatchObject({ fieldViolations: [{ field: "refresh_token" }] });
  });

  it.each([
    ["unknown", () => `tmr_${randomBytes(32).toString("base64url")}`],
    ["of another kind", () => "eyJhbGciOiJub25lIn0.e30."],
    ["not even text of a token", () => "\u0000"],
  ])("refuses one that is %s", async (_name, token) => {
    await expect(refresh(token())).rejects.toMatchObject(refused);
  });

  it("gives 50 callers with one token one successor, and logs nobody out", async () => {
    const { refreshToken, accessToken } = await signIn();
    const replies = await Promise.all(Array.from({ length: 50 }, () => insist(() => refresh(refreshToken))));
    const successors = new Set(replies.map((reply) => reply.refreshToken));
    expect(successors.size).toBe(1);
    const [successor = ""] = successors;
    expect(successor).not.toBe(refreshToken);
    await refresh(successor);
    const { rows } = await pair.authDb.query(
      "SELECT count(*)::int AS tokens FROM refresh_token WHERE session_id = $1",
      [sessionOf(accessToken)],
    );
    expect(rows).toEqual([{ tokens: 3 }]);
  });

  it("replays the successor within the grace, which counts from the first use only", async () => {
    const { refreshToken } = await signIn();
    const first = await refresh(refreshToken);
    await ageUse(refreshToken, 45);
    expect((await refresh(refreshToken)).refreshToken).toBe(first.refreshToken);
    await ageUse(refreshToken, 16);
    await expect(refresh(refreshToken)).rejects.toMatchObject(refused);
  });

  it("replays the newest token when the successor has been used as well", async () => {
    const { refreshToken } = await signIn();
    const second = await refresh(refreshToken);
    const third = await refresh(second.refreshToken);
    expect((await refresh(refreshToken)).refreshToken).toBe(third.refreshToken);
    await ageUse(second.refreshToken, 3600);
    await refresh(third.refreshToken);
  });

  it("revokes the family when a token is reused after its grace, whoever was first", async () => {
    const { refreshToken: stolen, accessToken, user } = await signIn();
    const other = await signIn();
    const subscriber = new Redis(inject("redis"));
    const heard: string[] = [];
    subscriber.on("message", (_channel, message) => heard.push(message));
    await subscriber.subscribe(revokedChannel);

    const { refreshToken: live } = await refresh(stolen);
    await ageUse(stolen, 61);
    await expect(refresh(stolen)).rejects.toMatchObject(refused);
    await expect(refresh(live)).rejects.toMatchObject(refused);
    await expect(refresh(stolen)).rejects.toMatchObject(refused);

    const sessionId = sessionOf(accessToken);
    expect((await internal.listRevokedSessions({})).sessionIds).toContain(sessionId);
    expect(await eventsOf(sessionId)).toEqual(["auth.v1.RefreshTokenReused"]);
    await until("the revocation on Redis", () => heard.includes(sessionId));
    await refresh(other.refreshToken);
    expect((await signIn()).user).toEqual(user);
    subscriber.disconnect();
  });

  it("refuses an expired token and an expired session without a word of theft", async () => {
    const { refreshToken, accessToken } = await signIn();
    const hash = refreshTokenHash(refreshToken);
    await pair.authDb.query("UPDATE refresh_token SET expire_time = now() WHERE token_hash = $1", [hash]);
    await expect(refresh(refreshToken)).rejects.toMatchObject(refused);
    const other = await signIn();
    await pair.authDb.query("UPDATE session SET expire_time = now() WHERE session_id = $1", [
      sessionOf(other.accessToken),
    ]);
    await expect(refresh(other.refreshToken)).rejects.toMatchObject(refused);
    expect(await eventsOf(sessionOf(accessToken))).toEqual([]);
  });

  it("keeps tokens so that the database alone gives none away", async () => {
    const { refreshToken } = await signIn();
    const { refreshToken: successor } = await refresh(refreshToken);
    const { rows } = await pair.authDb.query(
      "SELECT token_hash, successor_sealed FROM refresh_token WHERE token_hash = $1",
      [refreshTokenHash(refreshToken)],
    );
    const sealed: Buffer = rows[0].successor_sealed;
    expect(sealed.includes(successor.slice(4))).toBe(false);
    expect(() => openSuccessor(sealed, rows[0].token_hash)).toThrow();
    expect(openSuccessor(sealed, refreshToken)).toBe(successor);
  });

  it("works while the user service is away, with as much of the profile as the account has", async () => {
    const first = await signIn();
    await pair.stop("user");
    const second = await refresh(first.refreshToken);
    expect(second.user).toMatchObject({ userId: first.user?.userId, email });
    await pair.bringUserBack();
    let { refreshToken } = second;
    await until("the whole profile", async () => {
      const reply = await refresh(refreshToken);
      refreshToken = reply.refreshToken;
      return reply.user?.createTime !== undefined && reply.user.displayName === first.user?.displayName;
    });
  });

  it("answers with one successor however the callers are spread over instances", async () => {
    const other = await pair.clientAt(AuthService, await pair.addAuth());
    const { refreshToken } = await signIn();
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        insist(() => (index % 2 === 0 ? auth : other).refreshToken({ refreshToken })),
      ),
    );
    expect(new Set(replies.map((reply) => reply.refreshToken)).size).toBe(1);
  });

  it("is the same at every instance: who signed in at one goes on at any other, by a token or a refresh token [001.10] [002.01]", async () => {
    const added = await Promise.all([pair.addAuth(), pair.addAuth()]);
    const instances = [auth, ...(await Promise.all(added.map((address) => pair.clientAt(AuthService, address))))];
    const key = async (instance: typeof auth) => (await insist(() => instance.getJwks({}))).keys;
    for (const instance of instances) expect(await key(instance)).toEqual(await key(auth));
    for (const first of instances) {
      let { accessToken, refreshToken } = await insist(() => first.login({ email, password }));
      for (const next of instances) {
        await insist(() => next.listApiKeys({}, as(accessToken)));
        const used = refreshToken;
        ({ accessToken, refreshToken } = await insist(() => next.refreshToken({ refreshToken: used })));
      }
      // Another service knows who calls by the keys alone.
      const user = await pair.user();
      expect((await insist(() => user.getMe({}, as(accessToken)))).user).toMatchObject({ email });
      const { rows } = await pair.authDb.query("SELECT 1 FROM refresh_token WHERE token_hash = $1", [
        refreshTokenHash(refreshToken),
      ]);
      expect(rows).toHaveLength(1);
    }
  });

  it("refuses a token of a session that was revoked, even within its grace", async () => {
    const { refreshToken, accessToken } = await signIn();
    await refresh(refreshToken);
    await auth.logout({}, as(accessToken));
    await expect(refresh(refreshToken)).rejects.toMatchObject(refused);
    expect(await eventsOf(sessionOf(accessToken))).toEqual(["auth.v1.SessionRevoked"]);
  });

  it("goes on with the same families after a restart", async () => {
    const { refreshToken } = await signIn();
    const { refreshToken: successor } = await refresh(refreshToken);
    await pair.stop("auth");
    await pair.startAuth();
    expect((await refresh(refreshToken)).refreshToken).toBe(successor);
    await refresh(successor);
  });
});

describe("AuthService.Logout", () => {
  it("ends the caller's session and no other, and may be asked again", async () => {
    const mine = await signIn();
    const other = await signIn();
    await auth.logout({}, as(mine.accessToken));
    await auth.logout({}, as(mine.accessToken));
    await expect(refresh(mine.refreshToken)).rejects.toMatchObject(refused);
    await refresh(other.refreshToken);
    const { sessionIds } = await internal.listRevokedSessions({});
    expect(sessionIds).toContain(sessionOf(mine.accessToken));
    expect(sessionIds).not.toContain(sessionOf(other.accessToken));
    expect(await eventsOf(sessionOf(mine.accessToken))).toEqual(["auth.v1.SessionRevoked"]);
  });

  it("works while Redis is away", async () => {
    const lonely = await pair.clientAt(AuthService, await pair.addAuth({ REDIS_URL: "redis://127.0.0.1:1" }));
    const { accessToken, refreshToken } = await signIn();
    await lonely.logout({}, as(accessToken));
    await expect(refresh(refreshToken)).rejects.toMatchObject(refused);
  });

  it("needs an access token", async () => {
    await expect(auth.logout({})).rejects.toMatchObject({
      code: Code.UNAUTHENTICATED,
      reason: ErrorReason.TOKEN_INVALID,
    });
  });
});

describe("AuthService.ListRevokedSessions", () => {
  it("looks back as far as asked, and never further than access tokens live", async () => {
    const { accessToken } = await signIn();
    await auth.logout({}, as(accessToken));
    const sessionId = sessionOf(accessToken);
    const age = (seconds: number) =>
      pair.authDb.query("UPDATE session SET revoked_time = now() - make_interval(secs => $2) WHERE session_id = $1", [
        sessionId,
        seconds,
      ]);
    const within = async (seconds: number) =>
      (await internal.listRevokedSessions({ within: { seconds: BigInt(seconds) } })).sessionIds.includes(sessionId);
    await age(60);
    expect([await within(30), await within(90)]).toEqual([false, true]);
    await age(901);
    expect(await within(3600)).toBe(false);
    await expect(internal.listRevokedSessions({ within: { seconds: -1n } })).rejects.toMatchObject({
      fieldViolations: [{ field: "within" }],
    });
  });
});
