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

const cacheMs = 1000;
const checkLimitMs = 800;

export interface ServiceHealth {
  /** SERVING, NOT_SERVING, or why it could not be told: UNAVAILABLE, DEADLINE_EXCEEDED. */
  status: string;
  durationMs: number;
}

export interface MeshHealth {
  serving: boolean;
  services: Record<string, ServiceHealth>;
}

/** The health of the services as the gateway sees it: by grpc.health.v1, through the mesh, at most once a second. */
export class MeshHealthBoard {
  readonly #forwarder: Forwarder;
  #latest: Promise<MeshHealth> | undefined;
  #expires = 0;

  constructor(forwarder: Forwarder) {
    this.#forwarder = forwarder;
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
    const healths = await Promise.all(names.map((name) => this.#checkOne(name)));
    const services = Object.fromEntries(names.map((name, index) => [name, healths[index] as ServiceHealth]));
    return { serving: healths.every(({ status }) => status === "SERVING"), services };
  }

  async #checkOne(name: string): Promise<ServiceHealth> {
    const start = performance.now();
    const status = await this.#ask(name);
    return { status, durationMs: Math.round(performance.now() - start) };
  }

  async #ask(name: string): Promise<string> {
    try {
      // The mesh has one health path for all services; this header says whose is meant.
      const options = { headers: { "x-mesh-target": name }, timeoutMs: checkLimitMs };
      const { message } = await this.#forwarder.forwardUnary(
        Health.method.check,
        create(HealthCheckRequestSchema),
        options,
      );
      return Serving[(message as HealthCheckResponse).status] ?? "UNKNOWN";
    } catch (error) {
      return error instanceof ServiceError ? codeName(error.code) : "UNKNOWN";
    }
  }
}
