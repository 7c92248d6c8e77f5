import { setTimeout as sleep } from "node:timers/promises";
import { writeEnvoyConfig } from "../../envoy/config.ts";
import { writeEndpoints } from "../../envoy/endpoints.ts";
import type { Endpoint } from "../../envoy/options.ts";
import { type ProcessRow, processes, processNames } from "../topology.ts";
import type { CertificateFiles } from "./certificate.ts";
import type { Instance } from "./instance.ts";

export interface EdgePorts {
  edge: number;
  edgeTls: number;
  admin: number;
  mesh: number;
}

export interface EdgeOptions {
  tls: CertificateFiles | undefined;
  /** Where Envoy sends its spans; undefined: it makes none. */
  otlpGrpcPort: number | undefined;
  /** Share of new traces that are kept; all unless given. */
  samplePercent?: number;
  /** By how much the limits of connections are multiplied; 1 unless given. */
  rateLimitScale?: number;
}

/** Envoy's view of the mesh: which instances are behind each cluster. Envoy follows the files, so nothing is restarted. */
export class Edge {
  readonly #folder: string;
  readonly #members = new Map<string, Map<string, Endpoint>>();
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
    for (const name of processNames) {
      for (const cluster of Object.values(processes[name].clusters)) this.#members.set(cluster, new Map());
    }
  }

  /** Writes the whole configuration, with nobody behind the clusters yet; answers with the file for Envoy. */
  async configure(ports: EdgePorts, options: EdgeOptions): Promise<string> {
    const { configFile } = await writeEnvoyConfig({
      directory: this.#folder,
      edgePort: ports.edge,
      ...(options.tls && { edgeTlsPort: ports.edgeTls, tls: options.tls }),
      meshPort: ports.mesh,
      adminPort: ports.admin,
      gatewayHttp: [],
      gatewayGrpc: [],
      services: { auth: [], user: [], task: [], notification: [] },
      ...(options.otlpGrpcPort && { otlp: { host: "127.0.0.1", port: options.otlpGrpcPort } }),
      ...(options.samplePercent !== undefined && { samplePercent: options.samplePercent }),
      ...(options.rateLimitScale !== undefined && { rateLimitScale: options.rateLimitScale }),
    });
    return configFile;
  }

  /** Puts a ready instance behind its clusters. */
  async add({ name, ports }: Instance, row: ProcessRow): Promise<void> {
    const healthPort = row.healthPort && ports[row.healthPort];
    for (const [portName, cluster] of Object.entries(row.clusters)) {
      const port = ports[portName] as number;
      const endpoint = { host: "127.0.0.1", port, ...(healthPort && healthPort !== port && { healthPort }) };
      this.#members.get(cluster)?.set(name, endpoint);
      await this.#write(cluster);
    }
  }

  /** Takes an instance out of its clusters; requests under way go on. */
  async remove({ name }: Instance, row: ProcessRow): Promise<void> {
    for (const cluster of Object.values(row.clusters)) {
      if (this.#members.get(cluster)?.delete(name)) await this.#write(cluster);
    }
  }

  /** Resolves once Envoy sends traffic to every instance behind its clusters; false when it does not in time. */
  async settle(adminPort: number, signal: AbortSignal, timeoutMs = 20_000): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${adminPort}/clusters`, { signal: AbortSignal.timeout(2000) })
        .then((response) => response.text())
        .catch(() => "");
      const healthy = healthyEndpoints(answer);
      const missing = [...this.#members].filter(([cluster, members]) =>
        [...members.values()].some(({ host, port }) => !healthy.has(`${cluster}::${host}:${port}`)),
      );
      if (missing.length === 0 || signal.aborted) return true;
      if (Date.now() > deadline) return false;
      await sleep(100);
    }
  }

  /** One file at a time, and always with the newest members. */
  #write(cluster: string): Promise<void> {
    const next = this.#writing.then(() =>
      writeEndpoints(this.#folder, cluster, [...(this.#members.get(cluster)?.values() ?? [])]),
    );
    this.#writing = next.catch(() => {});
    return next;
  }
}

/** The endpoints, as `cluster::host:port`, that Envoy's page /clusters calls healthy. */
export function healthyEndpoints(page: string): Set<string> {
  return new Set([...page.matchAll(/^(.+)::health_flags::healthy$/gm)].map(([, endpoint = ""]) => endpoint));
}
