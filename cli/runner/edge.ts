import { setTimeout as sleep } from "node:timers/promises";
import type { LbPolicy } from "../../envoy/balancing.ts";
import { writeEnvoyConfig } from "../../envoy/config.ts";
import { writeEndpoints } from "../../envoy/endpoints.ts";
import type { Endpoint } from "../../envoy/options.ts";
import { type ProcessRow, processes, processNames } from "../topology.ts";
import type { CertificateFiles } from "./certificate.ts";
import { type Host, passesHealth, readHosts } from "./envoy-hosts.ts";
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
  /** How calls are dealt out; LEAST_REQUEST unless given. */
  lbPolicy?: LbPolicy;
  /** Whether calls are refused while the gateway has too many; they are, unless given. */
  shed?: boolean;
  /** How many calls a process always takes; 32 unless given. */
  minCalls?: number;
  /** With the filter that `mesh fault rpc` needs. */
  faults?: boolean;
}

/** What an instance gets of the calls, unless all get the same: a weight beside those of the others, or none for now. */
export type Traffic = Pick<Endpoint, "weight" | "standby">;

/** Envoy's view of the mesh: which instances are behind each cluster. Envoy follows the files, so nothing is restarted. */
export class Edge {
  readonly #folder: string;
  readonly #members = new Map<string, Map<string, Endpoint>>();
  readonly #traffic = new Map<string, Traffic>();
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
      ...(options.lbPolicy && { lbPolicy: options.lbPolicy }),
      ...(options.shed !== undefined && { shed: options.shed }),
      ...(options.minCalls !== undefined && { minCalls: options.minCalls }),
      ...(options.faults && { faults: true }),
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

  /**
   * Deals the calls out anew: in one step for each cluster, also for instances that are yet to come. An instance without
   * an entry gets as much as any other.
   */
  async direct(traffic: ReadonlyMap<string, Traffic>): Promise<void> {
    this.#traffic.clear();
    for (const [name, share] of traffic) this.#traffic.set(name, share);
    for (const [cluster, members] of this.#members) if (members.size > 0) await this.#write(cluster);
  }

  /** What an instance will get once it is there. */
  prepare({ name }: Instance, traffic: Traffic): void {
    this.#traffic.set(name, traffic);
  }

  /** Resolves once Envoy sends traffic to every instance behind its clusters; false when it does not in time. */
  async settle(adminPort: number, signal: AbortSignal, timeoutMs = 20_000): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const hosts = await readHosts(adminPort).catch(() => new Map<string, Host>());
      const missing = [...this.#members].filter(([cluster, members]) =>
        [...members].some(([name, { host, port }]) => {
          const flags = hosts.get(`${cluster}::${host}:${port}`)?.flags ?? "unknown";
          return this.#traffic.get(name)?.standby ? !passesHealth(flags) : flags !== "healthy";
        }),
      );
      if (missing.length === 0 || signal.aborted) return true;
      if (Date.now() > deadline) return false;
      await sleep(100);
    }
  }

  /** Resolves once Envoy has taken up that an instance is behind no cluster; false when it has not in time. */
  async hasLetGo({ ports }: Instance, row: ProcessRow, adminPort: number, timeoutMs = 2000): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    const places = Object.entries(row.clusters).map(([port, cluster]) => `${cluster}::127.0.0.1:${ports[port]}`);
    for (;;) {
      // An Envoy that is away sends nothing to anybody.
      const hosts = await readHosts(adminPort).catch(() => new Map<string, Host>());
      if (!places.some((place) => hosts.has(place))) return true;
      if (Date.now() > deadline) return false;
      await sleep(20);
    }
  }

  /** One file at a time, and always with the newest members. */
  #write(cluster: string): Promise<void> {
    const next = this.#writing.then(() =>
      writeEndpoints(
        this.#folder,
        cluster,
        [...(this.#members.get(cluster) ?? [])].map(([name, endpoint]) => ({
          ...endpoint,
          ...this.#traffic.get(name),
        })),
      ),
    );
    this.#writing = next.catch(() => {});
    return next;
  }
}
