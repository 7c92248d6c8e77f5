import { once } from "node:events";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "#gen/grpc/health/v1/health_pb.js";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code, ServiceError } from "../errors.ts";
import { type PartChecks, Parts } from "./part-checks.ts";
import type { ServiceEntry, ServiceImpl } from "./service.ts";

/**
 * The standard health service (grpc.health.v1): one state for the server ("") and each of its services. Who asks for a
 * part by its name, such as "database", hears whether the server can reach that; it has no part in the state.
 */
export class HealthService {
  readonly entry: ServiceEntry;
  readonly #names: ReadonlySet<string>;
  readonly #parts: Parts;
  readonly #changes = new EventTarget();
  #serving = false;

  constructor(serviceNames: readonly string[], parts: PartChecks = {}) {
    this.#parts = new Parts(parts);
    this.#names = new Set(["", ...serviceNames]);
    this.entry = { desc: Health, impl: this.#handlers() };
  }

  setServing(on: boolean): void {
    if (on === this.#serving) return;
    this.#serving = on;
    this.#changes.dispatchEvent(new Event("change"));
  }

  #status(name: string): Serving | undefined {
    if (!this.#names.has(name)) return undefined;
    return this.#serving ? Serving.SERVING : Serving.NOT_SERVING;
  }

  async #partStatus(name: string): Promise<Serving | undefined> {
    const isThere = await this.#parts.isThere(name);
    if (isThere === undefined) return undefined;
    return isThere ? Serving.SERVING : Serving.NOT_SERVING;
  }

  #handlers(): ServiceImpl<typeof Health> {
    return {
      check: async ({ service }) => {
        const status = this.#status(service) ?? (await this.#partStatus(service));
        if (status === undefined) throw unknownService();
        return { status };
      },
      list: async () => ({
        statuses: Object.fromEntries([...this.#names].map((name) => [name, { status: this.#status(name) }])),
      }),
      watch: ({ service }, { signal }) => this.#watch(service, signal),
    };
  }

  async *#watch(service: string, signal: AbortSignal) {
    let last: Serving | undefined;
    while (!signal.aborted) {
      const status = this.#status(service) ?? Serving.SERVICE_UNKNOWN;
      const changed = once(this.#changes, "change", { signal });
      // It rejects when the call ends, also while nobody waits for it.
      changed.catch(() => {});
      if (status !== last) yield { status };
      last = status;
      await changed;
    }
  }
}

function unknownService(): ServiceError {
  return new ServiceError({
    code: Code.NOT_FOUND,
    reason: ErrorReason.UNKNOWN_METHOD,
    message: "this server does not have the service",
  });
}
