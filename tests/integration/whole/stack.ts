import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { inject } from "vitest";
import { Identity } from "#kit/auth/identity.ts";
import { keyPair } from "#kit/auth/testing.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { start as startEnvoy } from "../../../cli/runner/parts/envoy.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { writeEnvoyConfig } from "../../../envoy/config.ts";
import { writeEndpoints } from "../../../envoy/endpoints.ts";
import {
  type Endpoint,
  type EnvoyOptions,
  localHealth,
  type ServiceName,
  serviceNames,
} from "../../../envoy/options.ts";
import { readConfig as gatewayConfig } from "../../../gateway/config.ts";
import { startGateway } from "../../../gateway/server.ts";
import { readConfig as authConfig } from "../../../services/auth/config.ts";
import { startService as startAuth } from "../../../services/auth/service.ts";
import { readConfig as notificationConfig } from "../../../services/notification/config.ts";
import { startService as startNotification } from "../../../services/notification/service.ts";
import { readConfig as taskConfig } from "../../../services/task/config.ts";
import { startService as startTask } from "../../../services/task/service.ts";
import { readConfig as userConfig } from "../../../services/user/config.ts";
import { startService as startUser } from "../../../services/user/service.ts";
import { createTestDatabase, type TestDatabase, testPool } from "../../_util/database.ts";
import { newPushKeyFile } from "../../_util/push-keys.ts";
import { until } from "../../_util/until.ts";

export const password = "correct horse battery";

type Env = Record<string, string>;

const starts = {
  auth: (env: Env, lifecycle: Lifecycle) => startAuth(authConfig(env), lifecycle),
  user: (env: Env, lifecycle: Lifecycle) => startUser(userConfig(env), lifecycle),
  task: (env: Env, lifecycle: Lifecycle) => startTask(taskConfig(env), lifecycle),
  notification: (env: Env, lifecycle: Lifecycle) => startNotification(notificationConfig(env), lifecycle),
} satisfies Record<ServiceName, unknown>;

/** Somebody who has signed up. */
export interface Person {
  userId: string;
  email: string;
  /** The headers of a call on behalf of this person. */
  headers: Env;
}

/** The whole way of a call: Envoy's edge, the gateway, Envoy's mesh, the real services and their databases. */
export interface Stack {
  /** Envoy's edge listener. */
  edge: string;
  /** host:port of Envoy's mesh listener. */
  mesh: string;
  sql: Readonly<Record<ServiceName, pg.Pool>>;
  person(): Promise<Person>;
  /** One more instance of a service; answers where it listens. Nothing is sent there before `setEndpoints`. */
  add(service: ServiceName): Promise<Endpoint>;
  /** The instances behind a service from now on; resolves when Envoy knows all of them as healthy. */
  setEndpoints(service: ServiceName, endpoints: Endpoint[]): Promise<void>;
  /** Where the first instance of each service listens. */
  endpoints: Readonly<Record<ServiceName, Endpoint>>;
  /** As whom a process of the mesh calls, for one that the test plays. */
  identity(name: ServiceName | "gateway"): Promise<Identity>;
  stat(name: string): Promise<number>;
  close(): Promise<void>;
}

export interface StackOptions {
  /** Variables for every process beside what they need. */
  env?: Env;
  envoy?: Partial<EnvoyOptions>;
  /** Changes the text of Envoy's configuration: a planted bug. */
  alterEnvoy?: (yaml: string) => string;
}

/** Starts it in this process, but for Envoy. Rate limits and load shedding are off. */
export async function startStack({
  env = {},
  envoy: envoyOptions = {},
  alterEnvoy,
}: StackOptions = {}): Promise<Stack> {
  const folder = await mkdtemp(join(tmpdir(), "taskmesh-whole-"));
  const lifecycle = new Lifecycle();
  const [edge = 0, mesh = 0, admin = 0, http = 0, grpc = 0, ...ports] = await pickPorts(5 + serviceNames.length);
  const databases = await createDatabases();
  const common = {
    ...(await writeKeys(folder)),
    MESH_ADDRESS: `127.0.0.1:${mesh}`,
    RATE_LIMIT_PRESET: "off",
    // One thread for all of them is always late.
    OVERLOAD_SHED: "false",
    // Calls from service to service are what these tests are about.
    USER_PROFILE_CACHE_TTL: "0",
    ...env,
  };
  const envOf = (name: string): Env => ({
    ...common,
    REDIS_URL: inject("redis"),
    KAFKA_BROKERS: inject("kafka"),
    KAFKA_PARTITIONS: "3",
    MESH_IDENTITY_KEY_FILE: join(folder, `${name}.json`),
    ...(name in databases && { [`${name.toUpperCase()}_DB_URL`]: databases[name as ServiceName].url }),
  });
  const endpoints = byService((_name, index) => ({ host: "127.0.0.1", port: ports[index] ?? 0 }));
  const gateway = (port: number) => ({ host: "127.0.0.1", port, healthPort: http });
  const { configFile } = await writeEnvoyConfig({
    directory: folder,
    edgePort: edge,
    meshPort: mesh,
    adminPort: admin,
    gatewayHttp: [gateway(http)],
    gatewayGrpc: [gateway(grpc)],
    services: byService((name) => [endpoints[name]]),
    // All of it shares one thread here: whoever is slow to answer is not ill.
    health: { ...localHealth, timeout: 10_000, failures: 10 },
    ...envoyOptions,
  });
  if (alterEnvoy) await writeFile(configFile, alterEnvoy(await readFile(configFile, "utf8")));
  const [envoy] = await Promise.all([
    startEnvoy({ configFile, adminPort: admin, logFile: join(folder, "envoy.log") }),
    ...serviceNames.map((name) => starts[name]({ ...envOf(name), GRPC_PORT: `${endpoints[name].port}` }, lifecycle)),
    startGateway(
      gatewayConfig({ ...envOf("gateway"), GATEWAY_HTTP_PORT: `${http}`, GATEWAY_GRPC_PORT: `${grpc}` }),
      lifecycle,
    ),
  ]);
  lifecycle.ready = true;
  const stat = (name: string) => statOf(admin, name);
  const healthy = (cluster: string, count: number) =>
    until(`${count} of ${cluster}`, async () => (await stat(`cluster.${cluster}.membership_healthy`)) === count, {
      everyMs: 25,
    });
  await Promise.all([...serviceNames, "gateway_http", "gateway_grpc"].map((cluster) => healthy(cluster, 1)));
  const sql = byService((name) => testPool(databases[name].url, 4));

  return {
    edge: `http://127.0.0.1:${edge}`,
    mesh: common.MESH_ADDRESS,
    sql,
    endpoints,
    stat,
    person: () => signUp(`http://127.0.0.1:${edge}`),
    add: async (name) => ({ host: "127.0.0.1", ...(await starts[name](envOf(name), lifecycle)) }),
    setEndpoints: async (name, instances) => {
      await writeEndpoints(folder, name, instances);
      await healthy(name, instances.length);
    },
    identity: (name) =>
      Identity.load({ keyFile: join(folder, `${name}.json`), jwksFile: common.MESH_IDENTITY_JWKS_FILE }),
    close: async () => {
      for (const pool of Object.values(sql)) await pool.end();
      await lifecycle.stop();
      await envoy.stop();
      for (const database of Object.values(databases)) await database.drop();
      await rm(folder, { recursive: true });
    },
  };
}

function byService<T>(make: (name: ServiceName, index: number) => T): Record<ServiceName, T> {
  return Object.fromEntries(serviceNames.map((name, index) => [name, make(name, index)])) as Record<ServiceName, T>;
}

async function createDatabases(): Promise<Record<ServiceName, TestDatabase>> {
  const made = await Promise.all(serviceNames.map((name) => createTestDatabase(`whole ${name}`)));
  return byService((_name, index) => made[index] as TestDatabase);
}

async function writeKeys(folder: string) {
  const pairs = [...serviceNames, "gateway"].map((name) => ({ name, ...keyPair(name) }));
  const [jwks, secret] = [join(folder, "jwks.json"), join(folder, "secret")];
  await writeFile(jwks, JSON.stringify({ keys: pairs.map(({ publicJwk }) => publicJwk) }));
  await writeFile(secret, randomBytes(32).toString("base64"));
  for (const { name, privateJwk } of pairs) await writeFile(join(folder, `${name}.json`), JSON.stringify(privateJwk));
  return {
    MESH_IDENTITY_JWKS_FILE: jwks,
    AUTH_KEY_SECRET_FILE: secret,
    PUSH_VAPID_KEY_FILE: newPushKeyFile(),
    WEBHOOK_KEY_SECRET_FILE: secret,
  };
}

async function signUp(edge: string): Promise<Person> {
  const email = `${randomUUID()}@example.com`;
  const request = {
    method: "POST",
    // The first call may come before every connection of the mesh is made; repeating it makes one account.
    headers: { "content-type": "application/json", "idempotency-key": randomUUID() },
    body: JSON.stringify({ email, password, displayName: "Ada" }),
  };
  const response = await until("an account", async () => {
    const answered = await fetch(`${edge}/v1/auth/register`, request);
    return [409, 503, 504].includes(answered.status) ? undefined : answered;
  });
  const answer = (await response.json()) as { accessToken: string; user: { userId: string } };
  if (response.status !== 200) throw new Error(`registering failed: ${JSON.stringify(answer)}`);
  const headers = { authorization: `Bearer ${answer.accessToken}`, "content-type": "application/json" };
  return { userId: answer.user.userId, email, headers };
}

async function statOf(admin: number, name: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${admin}/stats?format=json&filter=^${name}$`);
  const { stats } = (await response.json()) as { stats: { value?: number }[] };
  return stats[0]?.value ?? Number.NaN;
}
