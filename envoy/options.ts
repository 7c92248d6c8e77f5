import type { LbPolicy } from "./balancing.ts";

/** The services behind the mesh listener; each is a cluster of that name. */
export const serviceNames = ["auth", "user", "task", "notification"] as const;
export type ServiceName = (typeof serviceNames)[number];

/** One instance. */
export interface Endpoint {
  host: string;
  port: number;
  /** Where its health is asked when that is another port than the one that serves. */
  healthPort?: number;
  /** Its share of the calls beside that of the others: 1 to 1,000,000. While all have the same, the policy alone decides. */
  weight?: number;
  /** Its health is looked at, but it gets no calls: until it is let in, or once it has been relieved. */
  standby?: boolean;
}

/** When an instance counts as gone and as back. Milliseconds. */
export interface HealthPolicy {
  interval: number;
  /** While it counts as gone. */
  unhealthyInterval: number;
  timeout: number;
  /** Failures in a row until it gets no more traffic; NOT_SERVING counts at once. */
  failures: number;
  /** Passes in a row until it gets traffic again; a new instance needs one. */
  passes: number;
}

/**
 * For one machine: an instance that says so gets no traffic after 0.3 s, one that hangs after 2.6 s at most, one that is
 * back gets some within half a second, and a check costs about 0.1 ms. A stopping process waits for three intervals.
 */
export const localHealth: HealthPolicy = {
  interval: 300,
  unhealthyInterval: 250,
  timeout: 1_000,
  failures: 2,
  passes: 1,
};

/** For load balancers over a network: slow to judge, so that a lost packet moves no traffic. */
export const networkHealth: HealthPolicy = {
  interval: 10_000,
  unhealthyInterval: 1000,
  timeout: 2000,
  failures: 3,
  passes: 2,
};

export interface EnvoyOptions {
  /** Where the endpoint files are, absolute. */
  directory: string;
  /** What the edge and mesh listeners bind to: loopback unless given. The admin page is always on loopback. */
  host?: string;
  edgePort: number;
  /** With `tls`: a second edge listener with TLS. */
  edgeTlsPort?: number;
  /** PEM files. */
  tls?: { certFile: string; keyFile: string };
  meshPort: number;
  adminPort: number;
  /** Where others may read Envoy's statistics; nowhere unless given. */
  statisticsPort?: number;
  gatewayHttp: Endpoint[];
  gatewayGrpc: Endpoint[];
  services: Record<ServiceName, Endpoint[]>;
  /** An OTLP collector's gRPC port. Without it Envoy makes no spans. */
  otlp?: Endpoint;
  /** Share of new traces that are kept, in percent; a trace that has begun already keeps its decision. */
  samplePercent?: number;
  /** LEAST_REQUEST unless given. */
  lbPolicy?: LbPolicy;
  /** "files": instances are in files beside the configuration and may change while Envoy runs. "dns": by name. */
  discovery?: "files" | "dns";
  /** `localHealth` with files, `networkHealth` with dns, unless given. */
  health?: HealthPolicy;
  /** How many proxies of ours stand before this one; their entries of x-forwarded-for are believed. */
  trustedProxies?: number;
  /** Most connections from outside at a time; 4,096 by the scale of the limits, unless given. */
  maxConnections?: number;
  /** RATE_LIMIT_SCALE: by how much every limit is multiplied; Infinity for none. */
  rateLimitScale?: number;
  maxHeapBytes?: number;
  /** Whether calls are refused while the gateway has too many; unless given, they are. */
  shed?: boolean;
  /** OVERLOAD_MIN_CALLS: how many a process always takes; 32 unless given. */
  minCalls?: number;
  /** With the filter by which `mesh fault rpc` aborts and delays calls; it costs each call a look, so it is off unless given. */
  faults?: boolean;
}

export type Settings = Required<Omit<EnvoyOptions, "edgeTlsPort" | "tls" | "otlp" | "statisticsPort">> &
  Pick<EnvoyOptions, "edgeTlsPort" | "tls" | "otlp" | "statisticsPort">;

/** The options with every default filled in. */
export function withDefaults(options: EnvoyOptions): Settings {
  const { discovery = "files", rateLimitScale = 1 } = options;
  return {
    host: "127.0.0.1",
    samplePercent: 100,
    lbPolicy: "LEAST_REQUEST",
    health: discovery === "files" ? localHealth : networkHealth,
    trustedProxies: 0,
    rateLimitScale,
    // What one machine has file descriptors for, at most.
    maxConnections: Math.min(Math.round(4096 * rateLimitScale), 60_000),
    shed: true,
    minCalls: 32,
    maxHeapBytes: 1024 * 1024 * 1024,
    faults: false,
    ...options,
    discovery,
  };
}
