import { getOption, hasOption } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { http } from "#gen/google/api/annotations_pb.js";
import { Access, policy } from "#gen/mesh/v1/options_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { repositoryFiles } from "./sources.ts";

const services = [AuthService, UserService, TaskService, NotificationService];
const methods = services.flatMap((service) => service.methods.map((method) => ({ service, method })));
const kebab = (name: string) => name.replace(/(?<!^)([A-Z])/g, "-$1").toLowerCase();

describe("the contract", () => {
  it.each(methods)("$method.name says who may call it and how it is reached", ({ method }) => {
    expect(hasOption(method, policy)).toBe(true);
    const { access, timeout } = getOption(method, policy);
    expect(access).not.toBe(Access.UNSPECIFIED);
    expect(hasOption(method, http)).toBe(access !== Access.INTERNAL);
    expect(Number(timeout?.seconds ?? 2n)).toBeLessThanOrEqual(10);
  });

  it.each(methods)("$method.name has its own file and is named in a test", ({ service, method }) => {
    const folder = service.typeName.split(".")[0];
    expect(repositoryFiles()).toContain(`services/${folder}/rpc/${kebab(method.name)}.ts`);
  });
});
