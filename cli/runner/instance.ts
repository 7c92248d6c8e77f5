import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, UserError } from "../user-error.ts";
import { Backoff } from "./backoff.ts";
import { type Child, startChild, waitUntilReady } from "./child.ts";
import type { ProcessSpec } from "./process-spec.ts";
import { startTimeOf } from "./process-table.ts";

export type Status = "waiting" | "starting" | "ready" | "restarting" | "stopping" | "stopped";

export interface InstanceEvents {
  /** Status, pid or restarts have changed. Called at once after a program was started, so that no pid goes unrecorded. */
  changed(instance: Instance): void;
  /** It answers: take it into the load balancing. */
  up(instance: Instance): Promise<void>;
  /** It has ended, or is about to be stopped: take it out. */
  down(instance: Instance): Promise<void>;
  /** A line for the operator. */
  say(line: string): void;
}

const firstAttempts = 3;

/** One program that is kept running: started again with backoff whenever it ends, on the same ports and data. */
export class Instance {
  readonly spec: ProcessSpec;
  readonly ports: Readonly<Record<string, number>>;
  readonly #events: InstanceEvents;
  readonly #backoff = new Backoff();
  readonly #stopping = new AbortController();
  #child: Child | undefined;
  #readyAt: number | undefined;
  #starting: Promise<void> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();
  #away: Promise<void> = Promise.resolve();
  status: Status = "waiting";
  restarts = 0;
  /** Together with the pid, names the process for good. */
  startTime: string | undefined;
  startedAt: Date | undefined;
  lastFault: string | undefined;
  /** When it was looked up last; 0 before that. */
  residentBytes = 0;
  /** What it takes of the machine's memory, with its children; pages that others hold too count in parts. */
  memoryShare = 0;

  constructor(spec: ProcessSpec, ports: Readonly<Record<string, number>>, events: InstanceEvents) {
    this.spec = spec;
    this.ports = ports;
    this.#events = events;
  }

  get name(): string {
    return this.spec.name;
  }

  get pid(): number | undefined {
    return this.#child?.hasEnded() === false ? this.#child.pid : undefined;
  }

  /** Starts it and resolves once it answers; rejects with one line when three attempts fail. */
  start(): Promise<void> {
    const starting = this.#start();
    this.#starting = starting.catch(() => {});
    return starting;
  }

  async #start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#launch();
        break;
      } catch (error) {
        this.#stopping.signal.throwIfAborted();
        if (attempt === firstAttempts) throw error;
        this.lastFault = messageOf(error);
        await sleep(this.#backoff.delayAfter(0), undefined, { signal: this.#stopping.signal });
      }
    }
    this.#loop = this.#keepRunning();
  }

  /** Takes it out of the load balancing, then stops it; resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return this.#starting.then(() => this.#loop);
    this.#stopping.abort(new UserError(`${this.name} is being stopped`));
    this.#become("stopping");
    if (this.#readyAt !== undefined) await this.#events.down(this).catch(() => {});
    await this.#child?.stop();
    await this.#starting;
    await this.#loop;
    this.#become("stopped");
  }

  /** Leaves it to end by itself, as one does that has handed over to a successor; stops it when it has not in time. */
  async letEnd(graceMs: number): Promise<void> {
    if (this.#stopping.signal.aborted) return this.#loop;
    this.#stopping.abort();
    this.#become("stopping");
    await Promise.race([this.#child?.ended, sleep(graceMs, undefined, { ref: false })]);
    await this.#child?.stop();
    await this.#loop;
    this.#become("stopped");
  }

  /** From now on, when it ends, it is not started again before the promise has resolved. */
  keepAway(until: Promise<void>): void {
    this.#away = until;
  }

  async #launch(): Promise<void> {
    const { signal } = this.#stopping;
    signal.throwIfAborted();
    this.#become("starting");
    await this.spec.beforeStart?.();
    signal.throwIfAborted();
    const child = await startChild(this.spec);
    this.#child = child;
    this.startedAt = new Date();
    this.startTime = await startTimeOf(child.pid);
    this.#events.changed(this);
    try {
      await waitUntilReady(this.spec, child, signal);
      // One that answers while it is being stopped must not be called any more.
      signal.throwIfAborted();
    } catch (error) {
      await child.stop();
      throw error;
    }
    this.#readyAt = Date.now();
    this.#become("ready");
    await this.#events.up(this);
  }

  async #keepRunning(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const ending = (await this.#child?.ended) ?? "not started";
      if (this.#stopping.signal.aborted) return;
      await this.#restart(ending);
    }
  }

  async #restart(ending: string): Promise<void> {
    const readyMs = this.#readyAt === undefined ? 0 : Date.now() - this.#readyAt;
    if (this.#readyAt !== undefined) await this.#events.down(this).catch(() => {});
    this.#readyAt = undefined;
    this.restarts++;
    this.lastFault = ending;
    this.#become("restarting");
    const delay = this.#backoff.delayAfter(readyMs);
    this.#events.say(`${this.name} ended (${ending}); starting it again in ${delay} ms`);
    try {
      await sleep(delay, undefined, { signal: this.#stopping.signal });
      await unlessAborted(this.#away, this.#stopping.signal);
      await this.#launch();
      this.#events.say(`${this.name} is back`);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.lastFault = messageOf(error);
      this.#events.say(this.lastFault);
    }
  }

  #become(status: Status): void {
    this.status = status;
    this.#events.changed(this);
  }
}

/** Waits for something no longer than until the abort, whose reason it then throws. */
async function unlessAborted(something: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    await Promise.race([something, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
