import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { inject } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { TaskService } from "#gen/task/v1/task_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { keyPair, testIssuer } from "#kit/auth/testing.ts";
import { type CallOptions, type Client, createClient, MeshChannel } from "#kit/grpc/client.ts";
import { service, startGrpcServer } from "#kit/grpc/server.ts";
import type { ServiceImpl } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import { createTestDatabase, testPool } from "../../_util/database.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** The task service as a process of its own that is started again whenever it was killed. */
export interface KilledService {
  client: Client<typeof TaskService>;
  /** Call options of a new user. */
  person(): { userId: string; as(headers: Record<string, string>): CallOptions };
  sql: pg.Pool;
  /** How often the process was killed so far. */
  kills(): number;
  close(): Promise<void>;
}

/** `mutant` is a file of ./mutants that is loaded into the process first. */
export async function startKilledService(mutant: string): Promise<KilledService> {
  const folder = await mkdtemp(join(tmpdir(), "taskmesh-killed-"));
  const database = await createTestDatabase("idempotency_killed");
  const issuer = testIssuer();
  const lifecycle = new Lifecycle();
  const { load, env } = await identitiesIn(folder);
  const auth: Partial<ServiceImpl<typeof AuthService>> = {
    getJwks: async () => ({ keys: [...issuer.jwks.keys] }),
    listRevokedSessions: async () => ({ sessionIds: [] }),
  };
  const around = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    services: [service(AuthService, auth as ServiceImpl<typeof AuthService>)],
    identity: await load("auth"),
    tokens: issuer.verifier(),
    lifecycle,
  });
  const [port = 0] = await pickPorts(1);
  const process = keepRunning(mutant, {
    ...env,
    MESH_ADDRESS: `127.0.0.1:${around.port}`,
    TASK_DB_URL: database.url,
    KAFKA_BROKERS: inject("kafka"),
    REDIS_URL: inject("redis"),
    GRPC_PORT: String(port),
  });
  const channel = new MeshChannel(`127.0.0.1:${port}`);
  const sql = testPool(database.url, 2);
  return {
    client: createClient(TaskService, channel, { identity: await load("gateway") }),
    person: () => {
      const userId = newId();
      const authorization = `Bearer ${issuer.token({ sub: userId })}`;
      return { userId, as: (headers) => ({ headers: { ...headers, authorization } }) };
    },
    sql,
    kills: process.kills,
    close: async () => {
      channel.close();
      await process.stop();
      await sql.end();
      await lifecycle.stop();
      await database.drop();
      await rm(folder, { recursive: true });
    },
  };
}

async function identitiesIn(folder: string) {
  const jwksFile = join(folder, "jwks.json");
  const keyFile = (name: string) => join(folder, `${name}.json`);
  const pairs = ["task", "auth", "gateway"].map((name) => keyPair(name));
  await writeFile(jwksFile, JSON.stringify({ keys: pairs.map(({ publicJwk }) => publicJwk) }));
  for (const { privateJwk } of pairs) await writeFile(keyFile(privateJwk.kid), JSON.stringify(privateJwk));
  return {
    load: (name: string) => Identity.load({ keyFile: keyFile(name), jwksFile }),
    env: { MESH_IDENTITY_KEY_FILE: keyFile("task"), MESH_IDENTITY_JWKS_FILE: jwksFile },
  };
}

function keepRunning(mutant: string, settings: Record<string, string>) {
  const hook = new URL(`./mutants/${mutant}.ts`, import.meta.url).href;
  let kills = 0;
  let stopping = false;
  let child: ChildProcess;
  const start = () => {
    child = spawn(process.execPath, ["--import", hook, "services/task/main.ts"], {
      cwd: root,
      env: { ...process.env, LOG_LEVEL: "fatal", ...settings },
      stdio: ["ignore", "ignore", "inherit"],
    });
    child.once("exit", (_, signal) => {
      if (stopping) return;
      if (signal === "SIGKILL") kills += 1;
      start();
    });
  };
  start();
  return {
    kills: () => kills,
    stop: async () => {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}
