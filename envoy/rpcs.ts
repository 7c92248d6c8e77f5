import { type DescMethod, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { http } from "#gen/google/api/annotations_pb.js";
import { Access, policy, RateClass } from "#gen/mesh/v1/options_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { type Priority, priorityOf } from "#kit/overload/priority.ts";
import type { ServiceName } from "./options.ts";

/** What Envoy must know of one RPC. */
export interface Rpc {
  /** "/task.v1.TaskService/GetTask" */
  path: string;
  cluster: ServiceName;
  /** False: for services of the mesh only, never reachable from outside. */
  public: boolean;
  /** Doing it twice does no harm. */
  idempotent: boolean;
  /** It changes nothing at all. */
  readOnly: boolean;
  streaming: boolean;
  /** Longest time at the service, in milliseconds. */
  timeout: number;
  rateClass: RateClass;
  /** How much it matters when not all can be taken. */
  priority: Priority;
  /** The REST face: GET and "/v1/tasks/{task_id}", and further bindings if it has any. */
  rest: RestBinding[];
}

export interface RestBinding {
  method: string;
  template: string;
}

export const descriptors: Record<ServiceName, DescService> = {
  auth: AuthService,
  user: UserService,
  task: TaskService,
  notification: NotificationService,
};

const defaultTimeout = 2000;

/** All RPCs of all services, read from the descriptors. */
export function allRpcs(services: Partial<Record<ServiceName, DescService>> = descriptors): Rpc[] {
  return Object.entries(services).flatMap(([cluster, service]) =>
    service.methods.map((method) => rpcOf(method, cluster as ServiceName)),
  );
}

function rpcOf(method: DescMethod, cluster: ServiceName): Rpc {
  const { access, timeout, rateClass } = getOption(method, policy);
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    cluster,
    // A method without a policy has access UNSPECIFIED, and is as closed as an internal one.
    public: access === Access.PUBLIC || access === Access.USER,
    idempotent: method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN,
    readOnly: method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
    streaming: method.methodKind !== "unary",
    timeout: timeout ? Number(timeout.seconds) * 1000 + timeout.nanos / 1e6 : defaultTimeout,
    rateClass: rateClass || RateClass.GENERAL,
    priority: priorityOf(method),
    rest: restOf(method),
  };
}

/** "/v1/tasks/{task_id}:share" → "/v1/tasks/[^/:]+:share" */
export function pathRegex(template: string, variable = "[^/:]+"): string {
  return template.replaceAll(/[.+*?^$()[\]|\\]/g, "\\$&").replaceAll(/\{[^}]*\}/g, () => variable);
}

function restOf(method: DescMethod): RestBinding[] {
  if (!hasOption(method, http)) return [];
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings].flatMap(({ pattern }) => {
    if (pattern.case === undefined) return [];
    if (pattern.case === "custom") return [{ method: pattern.value.kind, template: pattern.value.path }];
    return [{ method: pattern.case.toUpperCase(), template: pattern.value }];
  });
}
