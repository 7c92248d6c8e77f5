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
