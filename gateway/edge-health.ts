import { create } from "@bufbuild/protobuf";
import {
  Health,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
} from "#gen/grpc/health/v1/health_pb.js";
import { codeName, ServiceError } from "#kit/errors.ts";
import type { Forwarder } from "#kit/grpc/raw-client.ts";
import { meshServices } from "./services.ts";

const cacheMs = 250;
const checkLimitMs = 700;

export interface PartHealth {
  /** SERVING, NOT_SERVING, or why it could not be told: UNAVAILABLE, DEADLINE_EXCEEDED. */
  status: string;
  durationMs: number;
}

export interface MeshHealth {
  serving: boolean;
  /** By the name of the service. */
  parts: Record<string, PartHealth>;
}

/**
 * The health of the services as the gateway sees it, or of a part that each of them has: by grpc.health.v1, through the
 * mesh, at most four times a second. An answer is never older than a second.
 */
export class MeshHealthBoard {
  readonly #forwarder: Forwarder;
  readonly #part: string;
  #latest: Promise<MeshHealth> | undefined;
  #expires = 0;

  constructor(forwarder: Forwarder, part = "") {
    this.#forwarder = forwarder;
    this.#part = part;
  }

  read(): Promise<MeshHealth> {
    const now = performance.now();
    if (this.#latest === undefined || now >= this.#expires) {
      this.#expires = now + cacheMs;
      this.#latest = this.#check();
    }
    return this.#latest;
  }

  async #check(): Promise<MeshHealth> {
    const names = Object.keys(meshServices);
    const healths = await Promise.all(names.map((name) => healthOf(() => this.#ask(name))));
    const parts = Object.fromEntries(names.map((name, index) => [name, healths[index] as PartHealth]));
    return { serving: healths.every(({ status }) => status === "SERVING"), parts };
  }

  async #ask(name: string): Promise<string> {
    // The mesh has one health path for all services; this header says whose is meant.
    const options = { headers: { "x-mesh-target": name }, timeoutMs: checkLimitMs };
    const request = create(HealthCheckRequestSchema, { service: this.#part });
    const { message } = await this.#forwarder.forwardUnary(Health.method.check, request, options);
    return Serving[(message as HealthCheckResponse).status] ?? "UNKNOWN";
  }
}

/** What came of asking, and how long it took. */
export async function healthOf(ask: () => Promise<string>): Promise<PartHealth> {
  const start = performance.now();
  const status = await ask().catch((error) => (error instanceof ServiceError ? codeName(error.code) : "UNAVAILABLE"));
  return { status, durationMs: Math.round(performance.now() - start) };
}
