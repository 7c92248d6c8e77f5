import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { askMesh, type ControlRequest } from "../../cli/runner/control.ts";
import { findHome } from "../../cli/runner/home.ts";
import type { MeshStatus } from "../../cli/runner/status.ts";
import { until } from "./until.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const publicPortVariables = [
  "EDGE_PORT",
  "EDGE_TLS_PORT",
  "JAEGER_PORT",
  "MAIL_UI_PORT",
  "ENVOY_ADMIN_PORT",
  "OPS_PORT",
  "PROMETHEUS_PORT",
];

export interface MeshOptions {
  /** Variables of the environment beside the ports. */
  env?: Record<string, string>;
  /** A module that is loaded before every process of the mesh: a planted bug. */
  mutant?: URL;
}

/** A whole mesh of its own: own ports, own data, in a folder that goes away with it. */
export class TestMesh {
  readonly edge: string;
  readonly mail: string;
  readonly jaeger: string;
  readonly admin: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly #home: string;
  readonly #runner: ChildProcess;

  private constructor(runner: ChildProcess, home: string, environment: NodeJS.ProcessEnv) {
    const at = (variable: string) => `http://127.0.0.1:${environment[variable]}`;
    this.edge = at("EDGE_PORT");
    this.mail = at("MAIL_UI_PORT");
    this.jaeger = at("JAEGER_PORT");
    this.admin = at("ENVOY_ADMIN_PORT");
    this.environment = environment;
    this.#home = home;
    this.#runner = runner;
  }

  /** Starts a mesh and answers once it is ready. */
  static async start({ env = {}, mutant }: MeshOptions = {}): Promise<TestMesh> {
    const home = mkdtempSync(join(tmpdir(), "taskmesh-"));
    // PostgreSQL may have to run as another account, which must get to its data; else they would stay behind elsewhere.
    chmodSync(home, 0o711);
    const ports = await freePorts(publicPortVariables.length);
    const environment: NodeJS.ProcessEnv = {
      ...process.env,
      ...Object.fromEntries(publicPortVariables.map((variable, index) => [variable, String(ports[index])])),
      NODE_OPTIONS: mutant === undefined ? "" : `--import ${mutant.href}`,
      MESH_HOME: home,
      // All calls of a test come from one address.
      RATE_LIMIT_SCALE: "10000",
      // Tests keep the machine busy: no call of theirs is refused for that.
      OVERLOAD_MIN_CALLS: "1000",
      ...env,
    };
    for (const name of Object.keys(environment)) if (/^(VITEST|TEST_)/.test(name)) delete environment[name];
    const runner = spawn(process.execPath, ["cli/mesh.ts", "up"], {
      cwd: root,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [runner.stdout, runner.stderr])
      stream.on("data", (chunk) => {
        output = (output + chunk).slice(-20_000);
      });
    const mesh = new TestMesh(runner, home, environment);
    try {
      await until(
        "the mesh to be ready",
        async () => {
          if (runner.exitCode !== null) throw new Error(`mesh up ended with ${runner.exitCode}`);
          return (await mesh.status()).ready;
        },
        { timeoutMs: 180_000, giveUp: () => runner.exitCode !== null },
      );
    } catch (error) {
      await mesh.stop();
      throw new Error(`the mesh did not start:\n${output}`, { cause: error });
    }
    return mesh;
  }

  status(): Promise<MeshStatus> {
    return this.#ask<MeshStatus>({ command: "ps" });
  }

  /** Kills one instance with SIGKILL and answers once another process has taken its place and is ready. */
  kill(instance: string): Promise<void> {
    return this.#replace(instance, "SIGKILL");
  }

  /** Ends one instance as a deployment does, with SIGTERM, and answers once another process has taken its place. */
  restart(instance: string): Promise<void> {
    return this.#replace(instance, "SIGTERM");
  }

  async #replace(instance: string, signal: NodeJS.Signals): Promise<void> {
    const before = await this.#instance(instance);
    process.kill(before.pid as number, signal);
    await until(
      `${instance} to be back`,
      async () => {
        const now = await this.#instance(instance);
        return now.pid !== undefined && now.pid !== before.pid && now.status === "ready";
      },
      { timeoutMs: 60_000, everyMs: 50 },
    );
  }

  /** Runs one command of the operator's tool against this mesh and answers with what it printed. */
  async cli(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, ["cli/mesh.ts", ...args], {
      cwd: root,
      env: this.environment,
      maxBuffer: 64 << 20,
    });
    return stdout;
  }

  async scale(service: string, count: number): Promise<void> {
    await this.#ask({ command: "scale", targets: [{ service, count }] });
  }

  /** Every mail that has arrived for somebody. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into mails of every shape
  async mailsTo(address: string): Promise<any[]> {
    const response = await fetch(`${this.mail}/email?to=${encodeURIComponent(address)}`);
    // biome-ignore lint/suspicious/noExplicitAny: as above
    return (await response.json()) as any[];
  }

  async stop(): Promise<void> {
    if (this.#runner.exitCode === null && this.#runner.signalCode === null) {
      const ended = once(this.#runner, "exit");
      this.#runner.kill("SIGTERM");
      await ended;
    }
    rmSync(this.#home, { recursive: true, force: true });
  }

  async #instance(name: string) {
    const found = (await this.status()).instances.find((instance) => instance.name === name);
    if (found === undefined) throw new Error(`there is no instance ${name}`);
    return found;
  }

  #ask<T>(request: ControlRequest): Promise<T> {
    return askMesh<T>(findHome(this.#home), request);
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  const ports = await Promise.all(
    servers.map(async (server) => {
      await once(server, "listening");
      return (server.address() as { port: number }).port;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
