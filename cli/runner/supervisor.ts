import type { UnitName } from "../topology.ts";
import type { Instance } from "./instance.ts";

/** How units hang together: whom each needs before it starts, and whom it must not outlive. */
export interface Order {
  after(unit: UnitName): readonly UnitName[];
  outlivedBy(unit: UnitName): readonly UnitName[];
}

/** All programs of one mesh: started in order, kept running, stopped in reverse order. */
export class Supervisor {
  readonly #order: Order;
  readonly #units = new Map<UnitName, Instance[]>();
  #stopping: Promise<void> | undefined;

  constructor(order: Order) {
    this.#order = order;
  }

  get instances(): Instance[] {
    return [...this.#units.values()].flat();
  }

  instancesOf(unit: UnitName): readonly Instance[] {
    return this.#units.get(unit) ?? [];
  }

  /** One that comes while all are being stopped is never started. */
  add(unit: UnitName, instance: Instance): void {
    if (this.#stopping !== undefined) void instance.stop();
    this.#units.set(unit, [...this.instancesOf(unit), instance]);
  }

  remove(unit: UnitName, instance: Instance): void {
    this.#units.set(
      unit,
      this.instancesOf(unit).filter((other) => other !== instance),
    );
  }

  /**
   * Starts the units side by side, each as soon as those before it are ready; `between` runs after a unit is ready
   * and before the next. Rejects with the first fault; what has started by then is left for `stop`.
   */
  async start(units: readonly UnitName[], between: (unit: UnitName) => Promise<void>): Promise<void> {
    const started = new Map<UnitName, Promise<void>>();
    const begin = (unit: UnitName): Promise<void> => {
      const known = started.get(unit);
      if (known !== undefined) return known;
      const starting = (async () => {
        await Promise.all(this.#order.after(unit).map(begin));
        if (this.#stopping !== undefined) return;
        await Promise.all(this.instancesOf(unit).map((instance) => instance.start()));
        await between(unit);
      })();
      started.set(unit, starting);
      return starting;
    };
    await Promise.all(units.map(begin));
  }

  /** Stops every unit once those that depend on it are gone. Once, however often it is called. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const units = [...this.#units.keys()];
    const stopped = new Map<UnitName, Promise<void>>();
    const end = (unit: UnitName): Promise<void> => {
      const known = stopped.get(unit);
      if (known !== undefined) return known;
      const stopping = (async () => {
        await Promise.all(units.filter((other) => this.#order.outlivedBy(other).includes(unit)).map(end));
        await Promise.all(this.instancesOf(unit).map((instance) => instance.stop()));
      })();
      stopped.set(unit, stopping);
      return stopping;
    };
    await Promise.all(units.map(end));
  }
}
