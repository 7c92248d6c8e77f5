import cluster, { type Worker } from "node:cluster";
import { setTimeout as delay } from "node:timers/promises";
import { Backoff } from "../runner/backoff.ts";
import { nodeArguments, type ProcessRow } from "../topology.ts";
import type { WorkersConfig } from "./config.ts";

interface Slot {
  worker: Worker;
  /** When it first listened; undefined until then. */
  readyAt: number | undefined;
}

/**
 * Processes of one kind that share their ports (Node's cluster): the system hands each new connection to the next of
 * them. One that dies is started again after a pause; one that ends before it ever listened ends all of them.
 */
export class Workers {
  readonly #slots = new Map<number, Slot>();
  readonly #config: WorkersConfig;
  readonly #ended = Promise.withResolvers<number>();
  #stopping = false;
  #exitCode = 0;

  constructor(row: ProcessRow, config: WorkersConfig) {
    this.#config = config;
    const args = nodeArguments(row);
    cluster.setupPrimary({ exec: row.entry, execArgv: args.slice(0, -1), args: [] });
  }

  /** Runs them until `stop`, or until one of them cannot start. Answers with the exit code. */
  run(): Promise<number> {
    for (let number = 1; number <= this.#config.workers; number += 1) this.#start(number, new Backoff());
    return this.#ended.promise;
  }

  /** Tells all to finish what is under way. */
  stop(): void {
    this.#stopping = true;
    for (const { worker } of this.#slots.values()) worker.process.kill("SIGTERM");
    this.#endIfAlone();
  }

  #start(number: number, backoff: Backoff): void {
    const worker = cluster.fork(variablesOf(number, this.#config));
    const slot: Slot = { worker, readyAt: undefined };
    this.#slots.set(number, slot);
    worker.on("listening", () => {
      slot.readyAt ??= performance.now();
    });
    worker.on("exit", (code) => void this.#onExit(number, slot, { code, backoff }));
  }

  async #onExit(number: number, { readyAt }: Slot, { code, backoff }: { code: number | null; backoff: Backoff }) {
    this.#slots.delete(number);
    if (!this.#stopping && readyAt === undefined) {
      this.#exitCode = code || 1;
      this.stop();
    }
    if (this.#stopping) {
      this.#exitCode ||= code ?? 0;
      return this.#endIfAlone();
    }
    await delay(backoff.delayAfter(performance.now() - (readyAt ?? 0)));
    if (!this.#stopping) this.#start(number, backoff);
  }

  #endIfAlone(): void {
    if (this.#slots.size === 0) this.#ended.resolve(this.#exitCode);
  }
}

/** A worker has a name and a page of its own; all else is the same for all. */
function variablesOf(number: number, { workers, adminPort, instanceId }: WorkersConfig): Record<string, string> {
  if (workers === 1) return {};
  return {
    SERVICE_INSTANCE_ID: `${instanceId}-${number}`,
    ADMIN_PORT: String(adminPort === 0 ? 0 : adminPort + number - 1),
  };
}
