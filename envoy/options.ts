/** The services behind the mesh listener; each is a cluster of that name. */
export const serviceNames = ["auth", "user", "task", "notification"] as const;
export type ServiceName = (typeof serviceNames)[number];

/** One instance. */
export interface Endpoint {
  host: string;
  port: number;
  /** Where its health is asked when that is another port than the one that serves. */
  healthPort?: number;
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
 * For one machine: an instance that has stopped gets no traffic within a second, one that is back gets some within a
 * second, and a check costs about 0.1 ms. A stopping process waits two intervals, which stays one second.
 */
export const localHealth: HealthPolicy = {
  interval: 500,
  unhealthyInterval: 250,
  timeout: 400,
  failures: 3,
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
  gatewayHttp: Endpoint[];
  gatewayGrpc: Endpoint[];
  services: Record<ServiceName, Endpoint[]>;
  /** An OTLP collector's gRPC port. Without it Envoy makes no spans. */
  otlp?: Endpoint;
  /** Share of new traces that are kept, in percent; a trace that has begun already keeps its decision. */
  samplePercent?: number;
  lbPolicy?: "LEAST_REQUEST" | "ROUND_ROBIN";
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
}

export type Settings = Required<Omit<EnvoyOptions, "edgeTlsPort" | "tls" | "otlp">> &
  Pick<EnvoyOptions, "edgeTlsPort" | "tls" | "otlp">;

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
    maxHeapBytes: 1024 * 1024 * 1024,
    ...options,
    discovery,
  };
}
