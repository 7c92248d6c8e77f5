import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import type pg from "pg";
import { inject } from "vitest";
import { AuthService } from "#gen/auth/v1/auth_service_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Identity } from "#kit/auth/identity.ts";
import { keyPair } from "#kit/auth/testing.ts";
import { ServiceError } from "#kit/errors.ts";
import { type Client, createClient, MeshChannel } from "#kit/grpc/client.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import * as auth from "../../../services/auth/config.ts";
import { startService as startAuth } from "../../../services/auth/service.ts";
import * as user from "../../../services/user/config.ts";
import { startService as startUser } from "../../../services/user/service.ts";
import { createTestDatabase, testPool } from "../../_util/database.ts";
import { until } from "../../_util/until.ts";

export const password = "correct horse battery";

/** An address that nobody had before. */
export const newEmail = (): string => `${randomUUID()}@example.com`;

/** As the gateway passes the caller's token and address on. */
export const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
export const from = (ip: string) => ({ headers: { "x-client-ip": ip } });

/** Asks again, as a client does, when the time was over or the service too busy: both are safe to repeat. */
export async function insist<T>(call: () => Promise<T>): Promise<T> {
  const passing: ErrorReason[] = [ErrorReason.DEADLINE_EXCEEDED, ErrorReason.UNAVAILABLE, ErrorReason.RATE_LIMITED];
  for (let tries = 0; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      if (tries >= 20 || !(error instanceof ServiceError) || !passing.includes(error.reason)) throw error;
    }
  }
}

const names = ["gateway", "auth", "user", "task", "operator"] as const;
type Name = (typeof names)[number];

/** The auth and the user service, each with its own database, calling each other as they do in the mesh. */
export class Pair {
  readonly #env: Record<string, string>;
  readonly #folder: string;
  readonly #ports: { auth: number; user: number };
  readonly #closers: (() => Promise<void> | void)[];
  readonly #running = new Map<"auth" | "user", Lifecycle>();
  readonly #extra: Lifecycle[] = [];
  readonly #channels: MeshChannel[] = [];
  readonly authDb: pg.Pool;
  readonly userDb: pg.Pool;

  private constructor(made: {
    env: Record<string, string>;
    folder: string;
    ports: { auth: number; user: number };
    pools: { auth: pg.Pool; user: pg.Pool };
    closers: (() => Promise<void> | void)[];
  }) {
    this.#env = made.env;
    this.#folder = made.folder;
    this.#ports = made.ports;
    this.#closers = made.closers;
    this.authDb = made.pools.auth;
    this.userDb = made.pools.user;
  }

  /** Starts both; `settings` are environment variables that differ from the defaults. */
  static async start(settings: Record<string, string> = {}): Promise<Pair> {
    const pair = await Pair.prepare(settings);
    await Promise.all([pair.startAuth(), pair.startUser()]);
    return pair;
  }

  /** Everything but the services. */
  static async prepare(settings: Record<string, string> = {}): Promise<Pair> {
    const folder = await mkdtemp(join(tmpdir(), "taskmesh-auth-"));
    const [authPort, userPort] = (await pickPorts(2)) as [number, number];
    const [authDb, userDb] = await Promise.all([createTestDatabase("auth"), createTestDatabase("user")]);
    const pools = {
      auth: testPool(authDb.url, 2),
      user: testPool(userDb.url, 2),
    };
    await writeKeys(folder);
    const env = {
      MESH_IDENTITY_JWKS_FILE: join(folder, "jwks.json"),
      AUTH_KEY_SECRET_FILE: join(folder, "secret"),
      AUTH_DB_URL: authDb.url,
      USER_DB_URL: userDb.url,
      REDIS_URL: inject("redis"),
      KAFKA_BROKERS: inject("kafka"),
      KAFKA_PARTITIONS: "3",
      ...settings,
    };
    const closers = [
      ...Object.values(pools).map((pool) => () => pool.end()),
      () => authDb.drop(),
      () => userDb.drop(),
      () => rm(folder, { recursive: true }),
    ];
    return new Pair({ env, folder, ports: { auth: authPort, user: userPort }, pools, closers });
  }

  /** The environment of one of the two services. */
  env(name: "auth" | "user"): Record<string, string> {
    const mesh = name === "auth" ? this.#ports.user : this.#ports.auth;
    return {
      MESH_IDENTITY_KEY_FILE: join(this.#folder, `${name}.json`),
      MESH_ADDRESS: `127.0.0.1:${mesh}`,
      GRPC_PORT: String(this.#ports[name]),
      ...this.#env,
    };
  }

  async startAuth(settings: Record<string, string> = {}): Promise<void> {
    const lifecycle = new Lifecycle();
    this.#running.set("auth", lifecycle);
    await startAuth(auth.readConfig({ ...this.env("auth"), ...settings }), lifecycle);
  }

  /** One more instance of the auth service, on a port of its own; answers with its address. */
  async addAuth(settings: Record<string, string> = {}): Promise<string> {
    const lifecycle = new Lifecycle();
    this.#extra.push(lifecycle);
    const { port } = await startAuth(auth.readConfig({ ...this.env("auth"), GRPC_PORT: "0", ...settings }), lifecycle);
    return `127.0.0.1:${port}`;
  }

  async startUser(): Promise<void> {
    const lifecycle = new Lifecycle();
    this.#running.set("user", lifecycle);
    await startUser(user.readConfig(this.env("user")), lifecycle);
  }

  /** Starts the user service again and waits until the auth service has noticed. */
  async bringUserBack(): Promise<void> {
    await this.startUser();
    const auth = await this.auth();
    await until("the user service to be found again", async () => {
      // Twice, because the auth service has two connections.
      for (let connection = 0; connection < 2; connection += 1) await auth.register({ email: newEmail(), password });
      return true;
    });
  }

  async stop(name: "auth" | "user"): Promise<void> {
    await this.#running.get(name)?.stop();
    this.#running.delete(name);
  }

  /** A client of the auth service that speaks as a service of the mesh. */
  auth(caller: Name = "gateway"): Promise<Client<typeof AuthService>> {
    return this.clientAt(AuthService, this.address("auth"), caller);
  }

  address(name: "auth" | "user"): string {
    return `127.0.0.1:${this.#ports[name]}`;
  }

  user(caller: Name = "gateway"): Promise<Client<typeof UserService>> {
    return this.clientAt(UserService, this.address("user"), caller);
  }

  async clientAt<S extends DescService>(desc: S, address: string, caller: Name = "gateway"): Promise<Client<S>> {
    const channel = new MeshChannel(address);
    this.#channels.push(channel);
    return createClient(desc, channel, { identity: await this.identity(caller) });
  }

  identity(name: Name): Promise<Identity> {
    return Identity.load({
      keyFile: join(this.#folder, `${name}.json`),
      jwksFile: join(this.#folder, "jwks.json"),
    });
  }

  async close(): Promise<void> {
    for (const channel of this.#channels) channel.close();
    await Promise.all([...this.#running.values(), ...this.#extra].map((lifecycle) => lifecycle.stop()));
    for (const close of this.#closers) await close();
  }
}

async function writeKeys(folder: string): Promise<void> {
  const pairs = names.map((name) => ({ name, ...keyPair(name) }));
  await writeFile(join(folder, "jwks.json"), JSON.stringify({ keys: pairs.map(({ publicJwk }) => publicJwk) }));
  await writeFile(join(folder, "secret"), randomBytes(32).toString("base64"));
  for (const { name, privateJwk } of pairs) await writeFile(join(folder, `${name}.json`), JSON.stringify(privateJwk));
}
