import { createHash, randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthService, RegisterRequestSchema } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import { Code } from "#kit/errors.ts";
import type { Client } from "#kit/grpc/client.ts";
import { until } from "../../_util/until.ts";
import { as, from, newEmail, Pair, password } from "./pair.ts";

let pair: Pair;
let auth: Client<typeof AuthService>;
let user: Client<typeof UserService>;

beforeAll(async () => {
  pair = await Pair.start({ AUTH_REFRESH_GRACE: "0" });
  [auth, user] = await Promise.all([pair.auth(), pair.user()]);
});
afterAll(() => pair.close());

/** Options of a call with this key; `replayed` notes whether its answer was a stored one. */
function keyed(key: string, headers: Record<string, string> = {}) {
  const options = {
    replayed: false,
    headers: { ...headers, "idempotency-key": key },
    onHeader: (answer: Record<string, string>) => {
      options.replayed = answer["idempotency-replayed"] === "true";
    },
  };
  return options;
}

async function sessionsOf(email: string): Promise<number> {
  const { rows } = await pair.authDb.query(
    "SELECT count(*)::int AS count FROM session JOIN account USING (user_id) WHERE email = $1",
    [email],
  );
  return rows[0].count;
}

describe("a sign-in with an Idempotency-Key", () => {
  it("opens one session however often it is repeated, and answers alike, byte for byte", async () => {
    const email = newEmail();
    const [registering, signingIn] = [randomUUID(), randomUUID()];
    const made = await auth.register({ email, password }, keyed(registering));
    const again = keyed(registering);
    expect(await auth.register({ email, password }, again)).toEqual(made);
    expect(again.replayed).toBe(true);
    expect(await sessionsOf(email)).toBe(1);

    const first = await auth.login({ email, password }, keyed(signingIn));
    const second = keyed(signingIn);
    expect(await auth.login({ email, password }, second)).toEqual(first);
    expect(second.replayed).toBe(true);
    expect(await sessionsOf(email)).toBe(2);
    await expect(user.getMe({}, as(first.accessToken))).resolves.toMatchObject({ user: { email } });
  });

  it("may name the key in the message in its place", async () => {
    const email = newEmail();
    await auth.register({ email, password });
    const requestId = randomUUID();
    const first = await auth.login({ email, password, requestId });
    expect(await auth.login({ email, password, requestId })).toEqual(first);
    expect(await auth.login({ email, password }, keyed(requestId))).toEqual(first);
    await expect(auth.login({ email, password, requestId }, keyed(randomUUID()))).rejects.toMatchObject({
      code: Code.INVALID_ARGUMENT,
      fieldViolations: [{ field: "request_id" }],
    });
  });

  it("gives its answer to nobody who knows the key and not the whole request", async () => {
    const email = newEmail();
    await auth.register({ email, password });
    const key = randomUUID();
    await auth.login({ email, password }, keyed(key));
    for (const request of [
      { email, password: "another password" },
      { email: newEmail(), password },
    ]) {
      await expect(auth.login(request, keyed(key))).rejects.toMatchObject({
        code: Code.FAILED_PRECONDITION,
        reason: ErrorReason.IDEMPOTENCY_KEY_REUSED,
      });
    }
    // A key belongs to its method: elsewhere it is a new one.
    await expect(auth.refreshToken({ refreshToken: "no token" }, keyed(key))).rejects.toMatchObject({
      reason: ErrorReason.REFRESH_TOKEN_INVALID,
    });
  });

  it("tells nobody more than five times that a password is not the one of the answer", async () => {
    const email = newEmail();
    await auth.register({ email, password });
    const key = randomUUID();
    await auth.login({ email, password }, keyed(key));
    const outcome = (guess: string) =>
      auth.login({ email, password: guess }, keyed(key)).then(
        () => "in",
        (error) => ErrorReason[error.reason],
      );
    for (let tries = 0; tries < 5; tries += 1) expect(await outcome(`guess ${tries}`)).toBe("IDEMPOTENCY_KEY_REUSED");
    expect(await outcome("guess 6")).toBe("RATE_LIMITED");
    expect(await outcome(password)).toBe("RATE_LIMITED");
    await expect(auth.login({ email, password })).resolves.toBeDefined();
  });

  it("leaves neither password nor token in the database, nor a digest that could be tried offline", async () => {
    const email = newEmail();
    const key = randomUUID();
    const { refreshToken, accessToken } = await auth.register({ email, password }, keyed(key));
    const { rows } = await pair.authDb.query(
      "SELECT request_hash AS hash, response FROM idempotency_key WHERE key = $1",
      [key],
    );
    expect(rows).toHaveLength(1);
    const stored: Buffer = rows[0].response;
    for (const secret of [refreshToken, accessToken, password, email]) expect(stored.includes(secret)).toBe(false);
    const bytes = Buffer.from(toBinary(RegisterRequestSchema, create(RegisterRequestSchema, { email, password })));
    const head = Buffer.from("auth.v1.AuthService/Register\0\0");
    const bare = createHash("sha256")
      .update(Buffer.concat([head, bytes]))
      .digest();
    expect(rows[0].hash).toHaveLength(bare.length);
    expect(rows[0].hash.equals(bare)).toBe(false);
  });

  it("is counted like any other when it fails, and failures are not stored", async () => {
    const email = newEmail();
    await auth.register({ email, password });
    const key = randomUUID();
    const guess = () => auth.login({ email, password: "a wrong guess" }, keyed(key, from("198.51.100.7").headers));
    for (let tries = 0; tries < 5; tries += 1) {
      await expect(guess()).rejects.toMatchObject({ reason: ErrorReason.CREDENTIALS_INVALID });
    }
    await expect(guess()).rejects.toMatchObject({ reason: ErrorReason.RATE_LIMITED });
    // From elsewhere the right one gets in, with the very key.
    const entered = await auth.login({ email, password }, keyed(key, from("203.0.113.9").headers));
    expect(entered.accessToken).not.toBe("");
  });

  it("is told that the first one still runs", async () => {
    const email = newEmail();
    await auth.register({ email, password });
    const key = randomUUID();
    const holder = await pair.authDb.connect();
    try {
      await holder.query("BEGIN");
      await holder.query("SELECT 1 FROM account WHERE email = $1 FOR UPDATE", [email]);
      const first = auth.login({ email, password }, keyed(key));
      await until("the first to wait for the account", async () => {
        const { rows } = await holder.query(
          "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
        );
        return rows.length > 0;
      });
      await expect(auth.login({ email, password }, keyed(key))).rejects.toMatchObject({
        code: Code.ABORTED,
        reason: ErrorReason.IDEMPOTENCY_KEY_IN_FLIGHT,
      });
      await holder.query("ROLLBACK");
      const answer = await first;
      expect(await auth.login({ email, password }, keyed(key))).toEqual(answer);
    } finally {
      holder.release();
    }
  });

  it("does not starve the others: forty at a time end, whatever their keys", async () => {
    const email = newEmail();
    await auth.register({ email, password });
    const tries = Array.from({ length: 40 }, () => auth.login({ email, password }, keyed(randomUUID())));
    const results = await Promise.allSettled(tries);
    const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason.reason] : []));
    const passing: ErrorReason[] = [ErrorReason.RATE_LIMITED, ErrorReason.DEADLINE_EXCEEDED];
    expect(failures.filter((reason) => !passing.includes(reason))).toEqual([]);
    expect(results.length - failures.length).toBeGreaterThan(5);
    await expect(auth.login({ email, password })).resolves.toBeDefined();
  });
});

describe("other writes of accounts with an Idempotency-Key", () => {
  it("trade a refresh token once, and answer alike after the grace too", async () => {
    const { refreshToken } = await auth.register({ email: newEmail(), password });
    const key = randomUUID();
    const first = await auth.refreshToken({ refreshToken }, keyed(key));
    const again = keyed(key);
    expect(await auth.refreshToken({ refreshToken }, again)).toEqual(first);
    expect(again.replayed).toBe(true);
    await expect(auth.refreshToken({ refreshToken: first.refreshToken })).resolves.toBeDefined();
  });

  it("still end the session of a refresh token that is used again", async () => {
    const { refreshToken } = await auth.register({ email: newEmail(), password });
    const { refreshToken: next } = await auth.refreshToken({ refreshToken });
    await until("the grace to pass", async () => {
      const reuse = auth.refreshToken({ refreshToken }, keyed(randomUUID()));
      return reuse.then(
        () => false,
        (error) => error.reason === ErrorReason.REFRESH_TOKEN_INVALID,
      );
    });
    await expect(auth.refreshToken({ refreshToken: next })).rejects.toMatchObject({
      reason: ErrorReason.REFRESH_TOKEN_INVALID,
    });
  });

  it("end a session once, by a key of the user's own", async () => {
    const [ada, eve] = await Promise.all([
      auth.register({ email: newEmail(), password }),
      auth.register({ email: newEmail(), password }),
    ]);
    const key = randomUUID();
    for (const { accessToken } of [ada, eve, ada]) {
      await auth.logout({}, { headers: { ...as(accessToken).headers, "idempotency-key": key } });
    }
    const { rows } = await pair.authDb.query("SELECT count(*)::int AS count FROM idempotency_key WHERE key = $1", [
      key,
    ]);
    expect(rows[0].count).toBe(2);
  });
});
