import type { DescMethod } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { describe, expect, it, vi } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { identityHeader } from "../../auth/identity.ts";
import type { VerifiedToken } from "../../auth/tokens.ts";
import { Code } from "../../errors.ts";
import { scopeOf } from "../policy.ts";
import { ServerCall } from "../server-call.ts";
import { TestService } from "../testing.ts";
import { authorize } from "./authorize.ts";

const verifyToken = vi.fn(
  async (_token: string): Promise<VerifiedToken> => ({
    userId: "u-1",
    sessionId: "s-1",
    expireTime: new Date(),
    tier: "standard",
  }),
);
const verifyIdentity = vi.fn((token: string) => ({ name: token }));
const chain = authorize({ verify: verifyIdentity }, { verify: verifyToken });

async function pass(method: DescMethod, headers: Record<string, string>): Promise<ServerCall> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const call = new ServerCall(method, metadata, Number.POSITIVE_INFINITY);
  await chain.wrap(async () => undefined)(call, { $typeName: "google.protobuf.StringValue" });
  return call;
}

const { echo, forTask, forServices, open, withoutPolicy } = TestService.method;

describe("authorize", () => {
  it.each(["Bearer abc.def", "bearer abc.def", "BEARER  abc.def"])(
    "takes a token as RFC 6750 has it: %s",
    async (text) => {
      const call = await pass(echo, { authorization: text });
      expect(verifyToken).toHaveBeenLastCalledWith("abc.def");
      expect(call.caller).toEqual({ kind: "user", userId: "u-1", sessionId: "s-1" });
      expect(call.accessToken).toBe("abc.def");
    },
  );

  it.each(["Bearer", "Bearer ", "Bearerabc", "Basic abc", "Bearer a b", "Bearer a,b", "abc"])(
    "does not even verify what is no bearer token: %s",
    async (text) => {
      verifyToken.mockClear();
      await expect(pass(echo, { authorization: text })).rejects.toMatchObject({ code: Code.UNAUTHENTICATED });
      expect(verifyToken).not.toHaveBeenCalled();
    },
  );

  it("lets a service in by its name, and keeps the user's token for the calls that follow", async () => {
    const call = await pass(forTask, { [identityHeader]: "task", authorization: "Bearer abc" });
    expect(call.caller).toEqual({ kind: "service", name: "task" });
    expect(call.accessToken).toBe("abc");
    await expect(pass(forTask, { [identityHeader]: "user" })).rejects.toMatchObject({ code: Code.PERMISSION_DENIED });
    expect((await pass(forServices, { [identityHeader]: "user" })).caller).toEqual({ kind: "service", name: "user" });
  });

  it("neither verifies nor passes on anything for a method that is open to all", async () => {
    verifyToken.mockClear();
    verifyIdentity.mockClear();
    const call = await pass(open, { authorization: "Bearer abc", [identityHeader]: "task" });
    expect(call.caller).toEqual({ kind: "anonymous" });
    expect(call.accessToken).toBeUndefined();
    expect(verifyToken).not.toHaveBeenCalled();
    expect(verifyIdentity).not.toHaveBeenCalled();
  });

  it("lets a key do what its scopes say, and a service ask another one on its behalf", async () => {
    const ofKey = (scope: string) =>
      verifyToken.mockResolvedValueOnce({
        userId: "u-1",
        sessionId: "k-1",
        expireTime: new Date(),
        tier: "standard",
        keyId: "k-1",
        scopes: [scope],
      });
    const headers = { authorization: "Bearer abc" };
    const scope = scopeOf(echo);
    ofKey(scope);
    expect((await pass(echo, headers)).caller).toMatchObject({ userId: "u-1", sessionId: "k-1" });
    const vias: Record<string, string>[] = [{}, { [identityHeader]: "gateway" }];
    for (const via of vias) {
      ofKey("tasks:write");
      await expect(pass(echo, { ...headers, ...via })).rejects.toMatchObject({
        code: Code.PERMISSION_DENIED,
        reason: ErrorReason.SCOPE_MISSING,
        metadata: { scope },
      });
    }
    ofKey("tasks:write");
    expect((await pass(echo, { ...headers, [identityHeader]: "task" })).caller).toMatchObject({ via: "task" });
  });

  it("refuses a method without a policy, whoever calls", async () => {
    const headers = { authorization: "Bearer abc", [identityHeader]: "task" };
    await expect(pass(withoutPolicy, headers)).rejects.toMatchObject({ code: Code.PERMISSION_DENIED });
  });
});
