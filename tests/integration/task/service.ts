import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import type pg from "pg";
import { inject } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { type TaskEvent, TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { keyPair, testIssuer } from "#kit/auth/testing.ts";
import { notFound, type ServiceError } from "#kit/errors.ts";
import { type CallOptions, type Client, createClient, MeshChannel } from "#kit/grpc/client.ts";
import { service, startGrpcServer } from "#kit/grpc/server.ts";
import type { ServiceImpl } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { readConfig } from "../../../services/task/config.ts";
import { startService } from "../../../services/task/service.ts";
import { createTestDatabase, type TestDatabase, testPool } from "../../_util/database.ts";

export interface Profile {
  userId: string;
  email: string;
  displayName: string;
  timeZone: string;
}

/** Somebody who calls the service directly, with an access token of their own. */
export interface Caller extends Profile {
  client: Client<typeof TaskService>;
  /** Call options that carry the token, and headers beside it. */
  as(headers?: Record<string, string>): CallOptions;
}

/** The real task service on a real database; the profiles of the user service are held by the test. */
export interface TaskStage {
  port: number;
  /** For looking at what was stored. */
  sql: pg.Pool;
  person(displayName: string, timeZone?: string): Caller;
  /** As the notification service calls it. */
  notification: Client<typeof TaskService>;
  /** The facts in the outbox, oldest first, of one task if its id is given. */
  events(taskId?: string): Promise<TaskEvent[]>;
  /** Methods of the user service that were called, in order. */
  userCalls: string[];
  close(): Promise<void>;
}

type Peers = { auth: ServiceImpl<typeof AuthService>; user: ServiceImpl<typeof UserService> };

/** In place of a fresh database on the shared server. */
export interface StageOptions {
  database?: TestDatabase;
  environment?: Record<string, string>;
}

export async function startStage(name: string, options: StageOptions = {}): Promise<TaskStage> {
  const folder = await mkdtemp(join(tmpdir(), "taskmesh-task-"));
  const database = options.database ?? (await createTestDatabase(name));
  const issuer = testIssuer();
  const profiles = new Map<string, Profile>();
  const userCalls: string[] = [];
  const identities = await writeIdentities(folder, ["task", "gateway", "user", "notification"]);
  const lifecycle = new Lifecycle();
  const { auth, user } = peers(profiles, issuer.jwks, userCalls);
  const around = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    services: [service(AuthService, auth), service(UserService, user)],
    identity: await identities.load("user"),
    tokens: issuer.verifier(),
    lifecycle,
  });
  const { port } = await startService(
    readConfig({
      MESH_ADDRESS: `127.0.0.1:${around.port}`,
      MESH_IDENTITY_KEY_FILE: identities.keyFile("task"),
      MESH_IDENTITY_JWKS_FILE: identities.jwksFile,
      TASK_DB_URL: database.url,
      KAFKA_BROKERS: inject("kafka"),
      REDIS_URL: inject("redis"),
      GRPC_PORT: "0",
      // Races of a hundred are what these tests are about.
      OVERLOAD_MIN_CALLS: "500",
      ...options.environment,
    }),
    lifecycle,
  );
  const channel = lifecycle.use("test channel", new MeshChannel(`127.0.0.1:${port}`), (open) => open.close());
  const client = createClient(TaskService, channel, { identity: await identities.load("gateway") });
  const sql = lifecycle.use("test pool", testPool(database.url, 4), (pool) => pool.end());

  return {
    port,
    sql,
    userCalls,
    notification: createClient(TaskService, channel, { identity: await identities.load("notification") }),
    person: (displayName, timeZone = "UTC") => {
      const userId = newId();
      const profile = { userId, email: `${userId}@example.com`, displayName, timeZone };
      profiles.set(userId, profile);
      const token = issuer.token({ sub: userId });
      return { ...profile, client, as: (headers) => ({ headers: { ...headers, authorization: `Bearer ${token}` } }) };
    },
    events: async (taskId) => {
      const { rows } = await sql.query(
        "SELECT payload FROM outbox_event WHERE $1::text IS NULL OR key = $1 ORDER BY xid, seq",
        [taskId ?? null],
      );
      return rows.map(({ payload }) => fromBinary(TaskEventSchema, payload));
    },
    close: async () => {
      await lifecycle.stop();
      await database.drop();
      await rm(folder, { recursive: true });
    },
  };
}

/** The error that a call ends with. */
export async function refusal(call: Promise<unknown>): Promise<ServiceError> {
  try {
    await call;
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error("the call should have been refused");
}

/** The fields that an error names. */
export async function wrongFields(call: Promise<unknown>): Promise<string[]> {
  return (await refusal(call)).fieldViolations.map(({ field }) => field);
}

async function writeIdentities(folder: string, names: string[]) {
  const pairs = names.map((name) => keyPair(name));
  const jwksFile = join(folder, "jwks.json");
  const keyFile = (name: string) => join(folder, `${name}.json`);
  await writeFile(jwksFile, JSON.stringify({ keys: pairs.map(({ publicJwk }) => publicJwk) }));
  await Promise.all(pairs.map(({ privateJwk }) => writeFile(keyFile(privateJwk.kid), JSON.stringify(privateJwk))));
  return { jwksFile, keyFile, load: (name: string) => Identity.load({ keyFile: keyFile(name), jwksFile }) };
}

/** What the task service asks of others; whatever else is called fails as a fault of the test. */
function peers(
  profiles: Map<string, Profile>,
  jwks: ReturnType<typeof testIssuer>["jwks"],
  userCalls: string[],
): Peers {
  const auth: Partial<Peers["auth"]> = {
    getJwks: async () => ({ keys: [...jwks.keys] }),
    listRevokedSessions: async () => ({ sessionIds: [] }),
  };
  const user: Partial<Peers["user"]> = {
    batchGetUsers: async ({ userIds }) => {
      userCalls.push("batchGetUsers");
      return { users: userIds.map((id) => profiles.get(id)).filter((profile) => profile !== undefined) };
    },
    lookupUser: async ({ email }) => {
      userCalls.push("lookupUser");
      const found = [...profiles.values()].find((profile) => profile.email === email);
      if (found === undefined) throw notFound(ErrorReason.USER_NOT_FOUND, "nobody has this address");
      return { user: { userId: found.userId, displayName: found.displayName } };
    },
  };
  return { auth: auth as Peers["auth"], user: user as Peers["user"] };
}
