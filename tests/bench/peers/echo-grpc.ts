/**
 * The service of P2: answers GetTask and CreateTask from memory, with the server, the chain and the checks of every
 * service. It stands in for the auth service too, whose keys are the bench's own.
 */
import type { DescService, MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Status, type TaskSchema } from "#gen/task/v1/task_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { meshTokenVerifier } from "#kit/auth/mesh-token-verifier.ts";
import type { Jwks } from "#kit/auth/tokens.ts";
import { ServiceError } from "#kit/errors.ts";
import { MeshChannel } from "#kit/grpc/client.ts";
import { service, startGrpcServer } from "#kit/grpc/server.ts";
import type { ServiceImpl, Unary } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import { runMain } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { startAdmin } from "#observability/admin.ts";

const host = "127.0.0.1";
const variable = (name: string) => process.env[name] ?? "";
const jwks = JSON.parse(variable("BENCH_JWKS")) as Jwks;

const at = timestampFromDate(new Date("2026-11-20T09:30:00Z"));
const task: MessageInitShape<typeof TaskSchema> = {
  title: "Send the quarterly figures to the board",
  description: "The draft is in the shared folder; ask for the numbers of the third quarter, which are still missing.",
  status: Status.OPEN,
  priority: 3,
  createTime: at,
  updateTime: at,
  revision: 1n,
};

const getTask: Unary<typeof TaskService.method.getTask> = async ({ taskId }, { userId }) => ({
  task: { ...task, taskId, etag: `1-${taskId.slice(-8)}`, ownerId: userId },
});
const createTask: Unary<typeof TaskService.method.createTask> = async ({ task: given }, { userId }) => ({
  task: { ...task, title: given?.title ?? "", taskId: newId(), etag: "1", ownerId: userId },
});
const getJwks: Unary<typeof AuthService.method.getJwks> = async () => ({ keys: [...jwks.keys] });
const listRevokedSessions: Unary<typeof AuthService.method.listRevokedSessions> = async () => ({});

/** The service with these handlers; its other methods refuse. */
function only<S extends DescService>(desc: S, handlers: Partial<ServiceImpl<S>>): ServiceImpl<S> {
  const refuse = async () => {
    throw new ServiceError({ reason: ErrorReason.UNKNOWN_METHOD, message: "the bench has no use for this method" });
  };
  const all = desc.methods.map(({ localName }) => [localName, refuse] as const);
  return { ...Object.fromEntries(all), ...handlers } as ServiceImpl<S>;
}

await runMain("echo", async (lifecycle) => {
  const identity = await Identity.load({
    keyFile: variable("MESH_IDENTITY_KEY_FILE"),
    jwksFile: variable("MESH_IDENTITY_JWKS_FILE"),
  });
  const channel = lifecycle.use("mesh", new MeshChannel(variable("MESH_ADDRESS")), (open) => open.close());
  const redis = openRedis({ url: variable("REDIS_URL"), lifecycle });
  await startAdmin({ host, port: Number(variable("ADMIN_PORT")), lifecycle });
  await startGrpcServer({
    host,
    port: Number(variable("GRPC_PORT")),
    services: [
      service(TaskService, only(TaskService, { getTask, createTask })),
      service(AuthService, only(AuthService, { getJwks, listRevokedSessions })),
    ],
    identity,
    tokens: meshTokenVerifier({ channel, identity, redis, lifecycle }),
    lifecycle,
  });
});
