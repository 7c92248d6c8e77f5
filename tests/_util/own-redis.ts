import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as redisPart from "../../cli/runner/parts/redis.ts";
import { pickPorts } from "../../cli/runner/ports.ts";
import type { RunningPart } from "../../cli/runner/process-spec.ts";

/** A Redis server of one test's own, which may die and hang. */
export class OwnRedis {
  readonly #folder: string;
  readonly #port: number;
  #server: RunningPart;

  private constructor(folder: string, port: number, server: RunningPart) {
    this.#folder = folder;
    this.#port = port;
    this.#server = server;
  }

  static async start(): Promise<OwnRedis> {
    const folder = await mkdtemp(join(tmpdir(), "taskmesh-redis-"));
    const [port = 0] = await pickPorts(1);
    return new OwnRedis(folder, port, await startIn(folder, port));
  }

  get url(): string {
    return this.#server.address;
  }

  /** SIGKILL, SIGSTOP or SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.#server.pid, signal);
  }

  /** After it died: on the same port, with what it had. */
  async startAgain(): Promise<void> {
    this.#server = await startIn(this.#folder, this.#port);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function startIn(dataDir: string, port: number): Promise<RunningPart> {
  return redisPart.start({ dataDir, logFile: join(dataDir, "redis.log"), port });
}
