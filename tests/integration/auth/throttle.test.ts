import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, ServiceError } from "#kit/errors.ts";
import type { Client } from "#kit/grpc/client.ts";
import { from, insist, newEmail, Pair, password } from "./pair.ts";

let pair: Pair;
let auth: Client<typeof AuthService>;
const throttled = { code: Code.RESOURCE_EXHAUSTED, reason: ErrorReason.RATE_LIMITED };
const home = "192.0.2.7";
const elsewhere = "198.51.100.7";

beforeAll(async () => {
  pair = await Pair.start();
  auth = await pair.auth();
});
afterAll(() => pair.close());

async function register(secret = password, email = newEmail()): Promise<string> {
  await insist(() => auth.register({ email, password: secret }, from(elsewhere)));
  return email;
}

const login = (email: string, secret = password, ip = home) => auth.login({ email, password: secret }, from(ip));

/** What a try came to: "ok" or the reason. */
const outcome = (reply: Promise<unknown>): Promise<string> =>
  reply.then(
    () => "ok",
    (error: unknown) => (error instanceof ServiceError ? (ErrorReason[error.reason] ?? "?") : String(error)),
  );

async function fail(email: string, times: number, ip = home): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    expect(await outcome(login(email, `wrong password ${time}`, ip))).toBe("CREDENTIALS_INVALID");
  }
}

/** As if all that was counted had happened so many seconds earlier. */
const letPass = (seconds: number) =>
  pair.authDb.query("UPDATE login_failure SET last_time = last_time - make_interval(secs => $1)", [seconds]);

/** Lets no wait come to its end, however slow the test is. */
const stopTheClock = () => pair.authDb.query("UPDATE login_failure SET last_time = last_time + interval '1 hour'");

/** As if there had been so many failures more: the first waits are too short to be seen on a busy machine. */
const addFailures = (failures: number) =>
  pair.authDb.query("UPDATE login_failure SET failures = failures + $1", [failures]);

describe("throttling of sign-ins", () => {
  it("makes whoever failed five times wait, even with the right password, and tells how long", async () => {
    const email = await register();
    await fail(email, 5);
    await addFailures(7);
    const error = await login(email).catch((caught: unknown) => caught);
    expect(error).toMatchObject(throttled);
    expect((error as ServiceError).retryAfterMs).toBeGreaterThan(64_000);
    expect((error as ServiceError).retryAfterMs).toBeLessThanOrEqual(128_000);
    await letPass(128);
    await login(email);
  });

  it("doubles the wait with each further failure", async () => {
    const email = await register();
    await fail(email, 5);
    await addFailures(6);
    for (const wait of [64_000, 128_000, 256_000, 512_000, 900_000, 900_000]) {
      const error = (await login(email).catch((caught: unknown) => caught)) as ServiceError;
      expect(error.retryAfterMs).toBeGreaterThan(wait - 30_000);
      expect(error.retryAfterMs).toBeLessThanOrEqual(wait);
      await letPass(wait / 1000);
      await fail(email, 1);
    }
  });

  it("leaves the same address from elsewhere, and other addresses, alone", async () => {
    const email = await register();
    const other = await register();
    await fail(email, 5);
    await addFailures(5);
    expect(await outcome(login(email))).toBe("RATE_LIMITED");
    expect(await outcome(login(email, password, elsewhere))).toBe("ok");
    expect(await outcome(login(other))).toBe("ok");
  });

  it("treats an unknown address like a known one", async () => {
    const email = newEmail();
    await fail(email, 5);
    await addFailures(5);
    expect(await outcome(login(email))).toBe("RATE_LIMITED");
  });

  it("counts one IPv6 network as one", async () => {
    const email = await register();
    for (let host = 1; host <= 5; host += 1) await fail(email, 1, `2001:db8:0:1::${host}`);
    await addFailures(5);
    expect(await outcome(login(email, password, "2001:db8:0:1:ffff::1"))).toBe("RATE_LIMITED");
    expect(await outcome(login(email, password, "2001:db8:0:2::1"))).toBe("ok");
  });

  it("forgets after a success", async () => {
    const email = await register();
    await fail(email, 4);
    await login(email);
    await fail(email, 4);
    await login(email);
  });

  it("survives a restart", async () => {
    const email = await register();
    await fail(email, 5);
    await pair.stop("auth");
    await pair.startAuth();
    await addFailures(5);
    expect(await outcome(login(email))).toBe("RATE_LIMITED");
  });

  it("lets a burst try no more passwords than a queue of tries would", async () => {
    const email = await register();
    const tries = Array.from({ length: 30 }, (_, index) => outcome(login(email, `wrong password ${index}`)));
    const outcomes = await Promise.all(tries);
    const tried = outcomes.filter((result) => result === "CREDENTIALS_INVALID").length;
    expect(tried).toBeLessThan(15);
    expect(outcomes).toContain("RATE_LIMITED");
  });

  it("never makes good sign-ins wait for each other", async () => {
    const email = await register();
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => outcome(login(email))));
    expect(new Set(outcomes)).toEqual(new Set(["ok"]));
  });

  it("gives nobody free tries on an address for having another account of it", async () => {
    const email = await register();
    await register("the attacker's password", email);
    for (let round = 0; round < 3; round += 1) {
      await fail(email, 4);
      expect(await outcome(login(email, "the attacker's password"))).toBe("ok");
    }
    // The right guess comes too late: it is answered like a wrong one, until the wait is over.
    expect(await outcome(login(email, password))).toBe("CREDENTIALS_INVALID");
    expect(await outcome(login(email, password, elsewhere))).toBe("ok");
    await letPass(3600);
    expect(await outcome(login(email, password))).toBe("ok");
  });

  it("answers the same to somebody who tries to find out whether an address is taken", async () => {
    const probe = async (email: string) => {
      const results: string[] = [];
      const step = async (call: Promise<{ user?: { userId: string } }>) => {
        const reply = await call.catch((error: ServiceError) => ErrorReason[error.reason] ?? "?");
        results.push(typeof reply === "string" ? reply : "ok");
        return typeof reply === "string" ? undefined : reply.user?.userId;
      };
      const signUp = (secret: string) => step(auth.register({ email, password: secret }, from(home)));
      const secrets = ["first password", "second password", "third password"];
      const ids = new Map<string, string | undefined>();
      for (const secret of secrets) ids.set(secret, await signUp(secret));
      for (const secret of secrets) results.push(String((await signUp(secret)) === ids.get(secret)));
      for (const secret of secrets) results.push(String((await step(login(email, secret))) === ids.get(secret)));
      await step(login(email, "wrong password"));
      await signUp("fourth password");
      await stopTheClock();
      for (let time = 0; time < 3; time += 1) await step(login(email, `wrong password ${time}`));
      await step(login(email, "second password"));
      for (let time = 0; time < 4; time += 1) await step(login(email, `wrong password ${time}`));
      await step(login(email, "third password"));
      await step(login(email, "first password"));
      for (let time = 0; time < 6; time += 1) await signUp(`password number ${time}`);
      await signUp("first password");
      return results;
    };
    const free = await probe(newEmail());
    const taken = await probe(await register("the owner's password"));
    expect(taken).toEqual(free);
    expect(free).toContain("RATE_LIMITED");
  });
});

describe("the queue of hashes", () => {
  it("refuses what it cannot hold, and says when to come back", async () => {
    const replies = await Promise.allSettled(
      Array.from({ length: 100 }, (_, index) => login(`${index}-${newEmail()}`, password, `203.0.113.${index}`)),
    );
    const errors = replies.map((reply) => (reply.status === "rejected" ? (reply.reason as ServiceError) : undefined));
    const full = errors.filter((error) => error?.reason === ErrorReason.RATE_LIMITED);
    expect(full.length).toBeGreaterThan(0);
    expect(full.every((error) => error?.retryAfterMs === 1000)).toBe(true);
    const others = new Set(errors.filter((error) => !full.includes(error)).map((error) => error?.reason));
    // On a busy machine some wait until their time is over.
    expect([...others].sort()).toEqual(
      others.has(ErrorReason.DEADLINE_EXCEEDED)
        ? [ErrorReason.DEADLINE_EXCEEDED, ErrorReason.CREDENTIALS_INVALID].sort()
        : [ErrorReason.CREDENTIALS_INVALID],
    );
  });
});
