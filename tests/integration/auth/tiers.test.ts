import { afterAll, beforeAll, expect, it } from "vitest";
import { type AuthService, Tier } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { TokenVerifier } from "#kit/auth/tokens.ts";
import type { Client } from "#kit/grpc/client.ts";
import { as, newEmail, Pair, password } from "./pair.ts";

let pair: Pair;
let auth: Client<typeof AuthService>;
let operator: Client<typeof AuthService>;
let tokens: TokenVerifier;

beforeAll(async () => {
  pair = await Pair.start();
  [auth, operator] = await Promise.all([pair.auth(), pair.auth("operator")]);
  tokens = new TokenVerifier({ issuer: "taskmesh", fetchKeys: () => auth.getJwks({}) });
});
afterAll(() => pair.close());

it("is in the tokens of the account from the next one on, and in those of its API keys", async () => {
  const email = newEmail();
  const { accessToken, refreshToken, user } = await auth.register({ email, password });
  const { key } = await auth.createApiKey({ name: "a", scopes: ["tasks:read"] }, as(accessToken));
  expect(await tokens.verify(accessToken)).toMatchObject({ tier: "standard" });

  const address = email.toUpperCase();
  expect(await operator.setTier({ email: address, tier: Tier.PREMIUM })).toMatchObject({ userId: user?.userId });
  const refreshed = await auth.refreshToken({ refreshToken });
  expect(await tokens.verify(refreshed.accessToken)).toMatchObject({ tier: "premium" });
  expect(await tokens.verify((await auth.login({ email, password })).accessToken)).toMatchObject({ tier: "premium" });
  const ofKey = await tokens.verify((await auth.exchangeApiKey({ key })).accessToken);
  expect(ofKey).toMatchObject({ tier: "premium", scopes: ["tasks:read"], userId: user?.userId });
  expect(ofKey.keyId).toBe(ofKey.sessionId);

  await operator.setTier({ email, tier: Tier.STANDARD });
  expect(await tokens.verify((await auth.login({ email, password })).accessToken)).toMatchObject({ tier: "standard" });
});

it("is for the operator to set, of an account that is there", async () => {
  const email = newEmail();
  await expect(operator.setTier({ email, tier: Tier.PREMIUM })).rejects.toMatchObject({
    reason: ErrorReason.USER_NOT_FOUND,
  });
  await expect(operator.setTier({ email, tier: Tier.UNSPECIFIED })).rejects.toMatchObject({
    fieldViolations: [expect.objectContaining({ field: "tier" })],
  });
  for (const caller of ["gateway", "task"] as const) {
    const stranger = await pair.auth(caller);
    await expect(stranger.setTier({ email, tier: Tier.PREMIUM })).rejects.toMatchObject({
      reason: ErrorReason.CALLER_NOT_ALLOWED,
    });
  }
});
