import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import type { UserService } from "#gen/user/v1/user_service_pb.js";
import { Code } from "#kit/errors.ts";
import type { Client } from "#kit/grpc/client.ts";
import { as, from, insist, newEmail, Pair, password } from "./pair.ts";

let pair: Pair;
let auth: Client<typeof AuthService>;
let user: Client<typeof UserService>;

beforeAll(async () => {
  pair = await Pair.start();
  [auth, user] = await Promise.all([pair.auth(), pair.user()]);
});
afterAll(() => pair.close());

describe("AuthService.Register", () => {
  it("opens an account, makes its profile and signs it in", async () => {
    const email = newEmail();
    const reply = await auth.register({ email, password, displayName: "Ada" });
    expect(reply).toMatchObject({ expiresIn: 900, user: { email, displayName: "Ada", locale: "en", timeZone: "UTC" } });
    const { user: me } = await user.getMe({}, as(reply.accessToken));
    expect(me).toEqual(reply.user);
  });

  it("takes the part before the @ for a name that is not given", async () => {
    const reply = await auth.register({ email: `grace.hopper.${newEmail()}`, password });
    expect(reply.user?.displayName).toMatch(/^grace\.hopper\./);
  });

  it.each([
    [{ email: "no address", password }, "email"],
    [{ email: "a@example.com", password: "short" }, "password"],
    [{ email: "a@example.com", password: "password123" }, "password"],
    [{ email: "someone.long@example.com", password: "Someone.Long" }, "password"],
    [{ email: "a@example.com", password, displayName: "a\u0007" }, "display_name"],
  ])("refuses %j by naming the field", async (request, field) => {
    await expect(auth.register(request)).rejects.toMatchObject({
      code: Code.INVALID_ARGUMENT,
      reason: ErrorReason.INVALID_FIELD,
      fieldViolations: [{ field }],
    });
  });

  it("signs a client in that asks again because the first answer got lost", async () => {
    const request = { email: newEmail(), password };
    const first = await auth.register(request);
    const second = await auth.register(request);
    expect(second.user?.userId).toBe(first.user?.userId);
    expect(second.refreshToken).not.toBe(first.refreshToken);
  });

  it("answers for a taken address as for a free one, and never lets the second account find or be found", async () => {
    const email = newEmail();
    const owner = await auth.register({ email, password });
    const other = await auth.register({ email: email.toUpperCase(), password: "another long password" });
    expect(Object.keys(other)).toEqual(Object.keys(owner));
    expect(other.user?.userId).not.toBe(owner.user?.userId);
    expect(other.user?.email).toBe(email.toUpperCase());
    const found = await user.lookupUser({ email }, as(other.accessToken));
    expect(found.user?.userId).toBe(owner.user?.userId);

    const again = await auth.login({ email, password: "another long password" });
    expect(again.user?.userId).toBe(other.user?.userId);
    const ownerAgain = await auth.login({ email, password });
    expect(ownerAgain.user?.userId).toBe(owner.user?.userId);
    await expect(auth.login({ email, password: "neither of the two" })).rejects.toMatchObject({
      reason: ErrorReason.CREDENTIALS_INVALID,
    });
  });

  it("tells the owner of a taken address, and not with every try", async () => {
    const email = newEmail();
    const owner = await auth.register({ email, password });
    await auth.register({ email, password: "another long password" });
    await auth.register({ email, password: "yet another password" });
    expect(await eventTypes(owner.user?.userId)).toEqual([
      "auth.v1.AccountRegistered",
      "auth.v1.RegistrationAttempted",
    ]);
  });

  it("says that an address is taken where the server reveals accounts, and still lets its owner in", async () => {
    const open = await pair.clientAt(AuthService, await pair.addAuth({ AUTH_REVEAL_ACCOUNTS: "true" }));
    const email = newEmail();
    const owner = await open.register({ email, password });
    await expect(open.register({ email, password: "another long password" })).rejects.toMatchObject({
      code: Code.ALREADY_EXISTS,
      reason: ErrorReason.EMAIL_TAKEN,
    });
    expect((await open.register({ email, password })).user).toEqual(owner.user);
  });

  it.each([
    ["the same password", () => password, 1],
    ["different passwords", (index: number) => `${password} ${index}`, 20],
  ])("gives an address one owner when 20 register it at the same time with %s", async (_name, passwordOf, accounts) => {
    const email = newEmail();
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        insist(() => auth.register({ email, password: passwordOf(index) }, from(`192.0.2.${index}`))),
      ),
    );
    expect(new Set(replies.map((reply) => reply.user?.userId)).size).toBe(accounts);
    const { rows } = await pair.authDb.query(
      "SELECT count(*) FILTER (WHERE owns_email)::int AS owners, count(*)::int AS accounts FROM account WHERE email = $1",
      [email],
    );
    expect(rows).toEqual([{ owners: 1, accounts }]);
  });

  it("is completed by the next sign-in when the user service was away", async () => {
    const request = { email: newEmail(), password, displayName: "Ada" };
    await pair.stop("user");
    await expect(auth.register(request)).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    await expect(auth.login(request)).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    await pair.bringUserBack();
    const reply = await auth.login(request);
    expect(reply.user?.displayName).toBe("Ada");
    const { user: me } = await user.getMe({}, as((await auth.register(request)).accessToken));
    expect(me?.userId).toBe(reply.user?.userId);
  });
});

describe("AuthService.Login", () => {
  it("signs in whatever the case of the address and the form of the letters of the password", async () => {
    const email = newEmail();
    const composed = "p\u00e4ssword \ufb01ve";
    const { user: made } = await auth.register({ email, password: composed });
    const reply = await auth.login({ email: email.toUpperCase(), password: "pa\u0308ssword five" });
    expect(reply.user).toEqual(made);
  });

  it.each([
    ["a wrong password", async (email: string) => ({ email, password: "not the password" })],
    ["an unknown address", async () => ({ email: newEmail(), password })],
    ["an address that cannot be", async () => ({ email: "nul\0@example.com", password })],
  ])("answers alike for %s", async (_name, request) => {
    const email = newEmail();
    await auth.register({ email, password });
    await expect(auth.login(await request(email))).rejects.toMatchObject({
      code: Code.UNAUTHENTICATED,
      reason: ErrorReason.CREDENTIALS_INVALID,
      message: "the mail address and the password do not belong together",
    });
  });

  it.each(["email", "password"])("names a missing %s", async (field) => {
    const request = { email: newEmail(), password, [field]: "" };
    await expect(auth.login(request)).rejects.toMatchObject({ fieldViolations: [{ field }] });
  });

  it("goes on without the rest of the profile while the user service is away", async () => {
    const request = { email: newEmail(), password };
    const { user: made } = await auth.register(request);
    await pair.stop("user");
    const reply = await auth.login(request);
    expect(reply.user).toMatchObject({ userId: made?.userId, email: request.email, displayName: "" });
    await pair.bringUserBack();
  });

  it("hashes anew with the parameters of today", async () => {
    const request = { email: newEmail(), password };
    await auth.register(request);
    const hash = async () => {
      const { rows } = await pair.authDb.query("SELECT password_hash FROM account WHERE email = $1", [request.email]);
      return rows[0].password_hash as string;
    };
    expect(await hash()).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    await pair.stop("auth");
    await pair.startAuth({ AUTH_ARGON2_PASSES: "3" });
    await expect(auth.login({ ...request, password: "not the password" })).rejects.toThrow();
    await auth.login(request);
    expect(await hash()).toContain("$m=19456,t=3,p=1$");
    await pair.stop("auth");
    await pair.startAuth();
    await auth.login(request);
    expect(await hash()).toContain("$m=19456,t=2,p=1$");
  });
});

async function eventTypes(key: string | undefined): Promise<string[]> {
  const { rows } = await pair.authDb.query("SELECT type FROM outbox_event WHERE key = $1 ORDER BY sequence", [key]);
  return rows.map(({ type }) => type);
}
