import { getOption } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AuthService, CreateApiKeyRequestSchema } from "#gen/auth/v1/auth_service_pb.js";
import { field } from "#gen/buf/validate/validate_pb.js";
import { Health } from "#gen/grpc/health/v1/health_pb.js";
import { Access, RateClass } from "#gen/mesh/v1/options_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { policyOf, scopeOf, timeoutOf } from "./policy.ts";
import { TestService } from "./testing.ts";

describe("the policy of a method", () => {
  it("is what the proto says", () => {
    expect(policyOf(AuthService.method.login)).toMatchObject({ access: Access.PUBLIC, callers: new Set() });
    expect(policyOf(UserService.method.createUser)).toEqual({
      access: Access.INTERNAL,
      callers: new Set(["auth"]),
      idempotencyKey: false,
      rateClass: RateClass.GENERAL,
      cost: 1,
      replica: false,
    });
    expect(policyOf(UserService.method.updateMe)).toMatchObject({ access: Access.USER, idempotencyKey: true });
    expect(policyOf(TaskService.method.listTasks)).toMatchObject({ replica: true });
    expect(policyOf(TestService.method.withoutPolicy)).toBeUndefined();
    expect(policyOf(Health.method.check)).toBeUndefined();
  });

  it("gives each method of a person the scope that a key needs, and accounts none that a key can have", () => {
    const ofPeople = [TaskService, UserService, NotificationService, AuthService]
      .flatMap(({ methods }) => methods)
      .filter((method) => policyOf(method)?.access === Access.USER);
    expect(scopeOf(TaskService.method.listTasks)).toBe("tasks:read");
    expect(scopeOf(TaskService.method.completeTask)).toBe("tasks:write");
    const { scopes } = CreateApiKeyRequestSchema.field;
    const grantable = getOption(scopes, field).type.value as { items: { type: { value: { in: string[] } } } };
    const needed = ofPeople.filter(({ parent }) => parent !== AuthService).map(scopeOf);
    expect(new Set(grantable.items.type.value.in)).toEqual(new Set(needed));
    for (const method of ofPeople.filter(({ parent }) => parent === AuthService)) {
      expect(grantable.items.type.value.in).not.toContain(scopeOf(method));
    }
  });

  it("bounds calls: 2 seconds unless it says otherwise, streams only when it does", () => {
    expect(timeoutOf(AuthService.method.login)).toBe(5_000);
    expect(timeoutOf(AuthService.method.logout)).toBe(2_000);
    expect(timeoutOf(TestService.method.brief)).toBe(150);
    expect(timeoutOf(TestService.method.watch)).toBeUndefined();
  });
});
