import { once, setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "#gen/grpc/health/v1/health_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, ServiceError } from "../errors.ts";
import { lookEveryMs } from "../health/part.ts";
import type { Readiness } from "../health/readiness.ts";
import type { ServiceEntry, ServiceImpl } from "./service.ts";

/**
 * The standard health service (grpc.health.v1): one state for the server ("") and each of its services, which is SERVING
 * while the server takes calls and every required part is there. A part has a state by its own name, such as "database".
 */
export class HealthService {
  readonly entry: ServiceEntry;
  readonly #names: ReadonlySet<string>;
  readonly #readiness: Readiness | undefined;
  readonly #changes = new EventTarget();
  #serving = false;

  constructor(serviceNames: readonly string[], readiness?: Readiness) {
    this.#readiness = readiness;
    // One for each call that watches.
    setMaxListeners(0, this.#changes);
    this.#names = new Set(["", ...serviceNames]);
    this.entry = { desc: Health, impl: this.#handlers() };
    readiness?.onChange(() => this.#changes.dispatchEvent(new Event("change")));
  }

  setServing(on: boolean): void {
    if (on === this.#serving) return;
    this.#serving = on;
    this.#changes.dispatchEvent(new Event("change"));
  }

  /** Undefined for a name that the server does not have. */
  async #status(name: string): Promise<Serving | undefined> {
    if (this.#names.has(name)) return servingIf(this.#serving && (this.#readiness?.complete ?? true));
    const there = await this.#readiness?.isThere(name);
    return there === undefined ? undefined : servingIf(there);
  }

  async #list() {
    const names = [...this.#names, ...(this.#readiness?.partNames ?? [])];
    const statuses = await Promise.all(names.map(async (name) => [name, { status: await this.#status(name) }]));
    return { statuses: Object.fromEntries(statuses) };
  }

  #handlers(): ServiceImpl<typeof Health> {
    return {
      check: async ({ service }) => {
        const status = await this.#status(service);
        if (status === undefined) throw unknownService();
        return { status };
      },
      list: () => this.#list(),
      watch: ({ service }, { signal }) => this.#watch(service, signal),
    };
  }

  async *#watch(service: string, signal: AbortSignal) {
    let last: Serving | undefined;
    while (!signal.aborted) {
      const changed = this.#changed(service, signal);
      // It rejects when the call ends, also while nobody waits for it.
      changed.catch(() => {});
      const status = (await this.#status(service)) ?? Serving.SERVICE_UNKNOWN;
      if (status !== last) yield { status };
      last = status;
      await changed;
    }
  }

  /** Parts that nobody watches all the time are asked again and again for those who do. */
  #changed(service: string, signal: AbortSignal): Promise<unknown> {
    const isPart = this.#readiness?.partNames.includes(service) ?? false;
    return isPart ? sleep(lookEveryMs, undefined, { signal, ref: false }) : once(this.#changes, "change", { signal });
  }
}

const servingIf = (serving: boolean): Serving => (serving ? Serving.SERVING : Serving.NOT_SERVING);

function unknownService(): ServiceError {
  return new ServiceError({
    code: Code.NOT_FOUND,
    reason: ErrorReason.UNKNOWN_METHOD,
    message: "this server does not have the service",
  });
}
