import { setTimeout as sleep } from "node:timers/promises";
import { logger } from "#observability/logger.ts";
import { shutdownTelemetry } from "#observability/telemetry.ts";
import { ConfigError, type EnvSchema, env, readEnv, unneededSettings } from "./env.ts";

/** How a process stops; the same for every process. */
export const environment = {
  notice: env.seconds("SHUTDOWN_NOTICE", { default: 1, max: 60 }),
  drain: env.seconds("SHUTDOWN_DRAIN", { default: 10, min: 0.1, max: 60 }),
} satisfies EnvSchema;

type Close = () => Promise<void> | void;

interface Owned {
  name: string;
  close: Close;
}

export interface LifecycleOptions {
  /** How long load balancers have to hear that the process stops before it takes no more calls, in milliseconds; none unless given. */
  noticeMs?: number;
  /** How long calls under way have to end after that, in milliseconds. */
  drainMs?: number;
  /** How long closing everything may take at the end, in milliseconds. */
  graceMs?: number;
  /** Ends the process after a fault of its own that nothing else repairs. */
  onFailure?: (error: unknown) => void;
  /** Told about everything that did not close in time or failed to. */
  onFault?: (name: string, error: unknown) => void;
}

const noticeStepMs = 20;
/** What a drain may take beyond its own limits: to answer those that it gives up. */
const answerMs = 2_000;

/** Owns what a process opens: drains first, then closes in reverse order of opening, all of it within the grace time. */
export class Lifecycle {
  readonly #owned: Owned[] = [];
  readonly #drains: Owned[] = [];
  readonly #abort = new AbortController();
  readonly #graceMs: number;
  readonly #onFault: (name: string, error: unknown) => void;
  /** Reports a fault that only a new process repairs: this one stops, with exit code 1. */
  readonly fail: (error: unknown) => void;
  #stopping: Promise<void> | undefined;
  /** Whether the process takes work. Set once it has started; false again from the moment it stops. */
  ready = false;
  noticeMs: number;
  drainMs: number;

  constructor(options: LifecycleOptions = {}) {
    this.noticeMs = options.noticeMs ?? 0;
    this.drainMs = options.drainMs ?? 10_000;
    this.#graceMs = options.graceMs ?? 5_000;
    this.#onFault = options.onFault ?? (() => {});
    this.fail = options.onFailure ?? (() => {});
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

  /**
   * For a drain, once health says that the process stops: waits until load balancers have heard it and send no more. That
   * is after the notice time, or as soon as nobody is connected.
   */
  async untilHeard(isAlone: () => boolean): Promise<void> {
    const end = performance.now() + this.noticeMs;
    while (performance.now() < end && !isAlone()) await sleep(noticeStepMs);
  }

  /** Stops once, however often it is called. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.ready = false;
    const drainLimit = this.noticeMs + this.drainMs + answerMs;
    await Promise.all(this.#drains.map((drain) => this.#close(drain, drainLimit)));
    this.#abort.abort();
    const end = performance.now() + this.#graceMs;
    for (const owned of this.#owned.reverse()) await this.#close(owned, Math.max(0, end - performance.now()));
  }

  async #close({ name, close }: Owned, limitMs: number): Promise<void> {
    const grace = Promise.withResolvers<never>();
    const timer = setTimeout(() => grace.reject(new Error(`did not close within ${Math.round(limitMs)} ms`)), limitMs);
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
  const lifecycle = new Lifecycle({
    onFault: (name, error) => log.error({ error, resource: name }, "close failed"),
    onFailure: (error) => fail(error),
  });
  const end = async (exitCode: number): Promise<void> => {
    await lifecycle.stop();
    await shutdownTelemetry();
    process.exitCode = Math.max(Number(process.exitCode ?? 0), exitCode);
    // Whatever still holds the process now was opened by nobody that closes it.
    setTimeout(() => process.exit(), 1_000).unref();
  };
  const fail = (error: unknown): void => {
    log.fatal({ error }, "a fault ends the process");
    void end(1);
  };
  // Once is enough, and a second signal must not cut off what is under way.
  process.on("SIGTERM", () => void end(0));
  process.on("SIGINT", () => void end(0));
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  try {
    const { notice, drain } = readEnv(environment);
    for (const line of unneededSettings()) log.info(line);
    lifecycle.noticeMs = notice * 1_000;
    lifecycle.drainMs = drain * 1_000;
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
