import { describe, expect, it } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { Health } from "#gen/grpc/health/v1/health_pb.js";
import { Access } from "#gen/mesh/v1/options_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { policyOf, timeoutOf } from "./policy.ts";
import { TestService } from "./testing.ts";

describe("the policy of a method", () => {
  it("is what the proto says", () => {
    expect(policyOf(AuthService.method.login)).toMatchObject({ access: Access.PUBLIC, callers: new Set() });
    expect(policyOf(UserService.method.createUser)).toEqual({
      access: Access.INTERNAL,
      callers: new Set(["auth"]),
      idempotencyKey: false,
    });
    expect(policyOf(UserService.method.updateMe)).toMatchObject({ access: Access.USER, idempotencyKey: true });
    expect(policyOf(TestService.method.withoutPolicy)).toBeUndefined();
    expect(policyOf(Health.method.check)).toBeUndefined();
  });

  it("bounds calls: 2 seconds unless it says otherwise, streams only when it does", () => {
    expect(timeoutOf(AuthService.method.login)).toBe(5_000);
    expect(timeoutOf(AuthService.method.logout)).toBe(2_000);
    expect(timeoutOf(TestService.method.brief)).toBe(150);
    expect(timeoutOf(TestService.method.watch)).toBeUndefined();
  });
});
