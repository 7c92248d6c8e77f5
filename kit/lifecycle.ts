import { logger } from "#observability/logger.ts";
import { shutdownTelemetry } from "#observability/telemetry.ts";
import { ConfigError } from "./env.ts";

type Close = () => Promise<void> | void;

interface Owned {
  name: string;
  close: Close;
}

export interface LifecycleOptions {
  /** How long draining may take, and then how long each resource may take to close, in milliseconds. */
  graceMs?: number;
  /** Told about everything that did not close in time or failed to. */
  onFault?: (name: string, error: unknown) => void;
}

/** Owns what a process opens: drains first, then closes in reverse order of opening, each within the grace time. */
export class Lifecycle {
  readonly #owned: Owned[] = [];
  readonly #drains: Owned[] = [];
  readonly #abort = new AbortController();
  readonly #graceMs: number;
  readonly #onFault: (name: string, error: unknown) => void;
  #stopping: Promise<void> | undefined;
  /** Whether the process takes work. Set once it has started; false again from the moment it stops. */
  ready = false;

  constructor(options: LifecycleOptions = {}) {
    this.#graceMs = options.graceMs ?? 10_000;
    this.#onFault = options.onFault ?? (() => {});
  }

  /** Aborts when draining is over and closing begins. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Takes over a resource: it is closed when the process stops. Answers with the resource. */
  use<T>(name: string, resource: T, close: (resource: T) => Promise<void> | void): T {
    this.#owned.push({ name, close: () => close(resource) });
    return resource;
  }

  /** Runs before anything is closed, side by side with the other drains: stop taking work, finish what is under way. */
  onDrain(name: string, drain: Close): void {
    this.#drains.push({ name, close: drain });
  }

  /** Stops once, however often it is called. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.ready = false;
    await Promise.all(this.#drains.map((drain) => this.#close(drain)));
    this.#abort.abort();
    for (const owned of this.#owned.reverse()) await this.#close(owned);
  }

  async #close({ name, close }: Owned): Promise<void> {
    const grace = Promise.withResolvers<never>();
    const timer = setTimeout(() => grace.reject(new Error(`did not close within ${this.#graceMs} ms`)), this.#graceMs);
    try {
      await Promise.race([Promise.try(close), grace.promise]);
    } catch (error) {
      this.#onFault(name, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Runs a process: starts it, keeps it until SIGTERM, SIGINT or a fault that nothing caught, then stops it in order.
 * A start that fails prints one plain line for each fault and ends with exit code 1.
 */
export async function runMain(serviceName: string, start: (lifecycle: Lifecycle) => Promise<void>): Promise<void> {
  const log = logger(serviceName);
  const lifecycle = new Lifecycle({ onFault: (name, error) => log.error({ error, resource: name }, "close failed") });
  const end = async (exitCode: number): Promise<void> => {
    await lifecycle.stop();
    await shutdownTelemetry();
    process.exitCode = exitCode;
    // Whatever still holds the process now was opened by nobody that closes it.
    setTimeout(() => process.exit(exitCode), 2_000).unref();
  };
  const fail = (error: unknown): void => {
    log.fatal({ error }, "fault that nothing caught");
    void end(1);
  };
  process.once("SIGTERM", () => void end(0));
  process.once("SIGINT", () => void end(0));
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  try {
    await start(lifecycle);
    lifecycle.ready = !lifecycle.stopping;
    log.info("ready");
  } catch (error) {
    // A start that was interrupted by a signal is not a fault.
    if (lifecycle.stopping) return;
    if (!(error instanceof ConfigError)) log.error({ error }, "start failed");
    process.stderr.write(`${startFault(serviceName, error)}\n`);
    await end(1);
  }
}

function startFault(serviceName: string, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .split("\n")
    .map((line) => `${serviceName} cannot start: ${line}`)
    .join("\n");
}
