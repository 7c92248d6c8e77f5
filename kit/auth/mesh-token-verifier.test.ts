import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, ServiceError } from "../errors.ts";
import { service } from "../grpc/server.ts";
import type { ServiceImpl } from "../grpc/service.ts";
import { startTestMesh, type TestMesh } from "../grpc/testing.ts";
import { Lifecycle } from "../lifecycle.ts";
import { meshTokenVerifier } from "./mesh-token-verifier.ts";
import { type TestIssuer, testIssuer } from "./testing.ts";

const notAsked = async () => {
  throw new ServiceError({ reason: ErrorReason.UNKNOWN_METHOD, message: "not asked here" });
};

let mesh: TestMesh;
let lifecycle: Lifecycle;
const issuer: TestIssuer = testIssuer();
const revoked: string[] = [];
const impl: ServiceImpl<typeof AuthService> = {
  register: notAsked,
  login: notAsked,
  refreshToken: notAsked,
  logout: notAsked,
  createApiKey: notAsked,
  listApiKeys: notAsked,
  revokeApiKey: notAsked,
  exchangeApiKey: notAsked,
  setTier: notAsked,
  getJwks: async () => ({ keys: [...issuer.jwks.keys] }),
  listRevokedSessions: async () => ({ sessionIds: revoked }),
};

beforeEach(async () => {
  mesh = await startTestMesh([service(AuthService, impl)]);
  lifecycle = new Lifecycle();
});
afterEach(async () => {
  await lifecycle.stop();
  await mesh.close();
});

describe("meshTokenVerifier", () => {
  it("has its keys and revocations from the auth service, through the mesh", async () => {
    const tokens = meshTokenVerifier({ channel: mesh.channel, identity: mesh.identities.gateway, lifecycle });
    const token = issuer.token({ sub: "u", sid: "s" });
    await expect(tokens.verify(token)).resolves.toMatchObject({ userId: "u", sessionId: "s" });
    revoked.push("s");
    const refused = { code: Code.UNAUTHENTICATED, reason: ErrorReason.TOKEN_INVALID };
    await vi.waitFor(() => expect(tokens.verify(token)).rejects.toMatchObject(refused), 5_000);
  });

  it("says UNAVAILABLE while the auth service is away and no key is known", async () => {
    await mesh.lifecycle.stop();
    const tokens = meshTokenVerifier({ channel: mesh.channel, identity: mesh.identities.gateway, lifecycle });
    await expect(tokens.verify(issuer.token())).rejects.toMatchObject({ code: Code.UNAVAILABLE });
  });
});
