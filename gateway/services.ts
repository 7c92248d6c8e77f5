import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { Access } from "#gen/mesh/v1/options_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { policyOf } from "#kit/grpc/policy.ts";

/** The services of the mesh, by the name under which Envoy and the health page know them. */
export const meshServices = {
  auth: AuthService,
  user: UserService,
  task: TaskService,
  notification: NotificationService,
} satisfies Record<string, DescService>;

/** Whether the edge serves the method. One that has no policy is as closed as an internal one. */
export function isExposed(method: DescMethod): boolean {
  const access = policyOf(method)?.access;
  return access === Access.PUBLIC || access === Access.USER;
}
