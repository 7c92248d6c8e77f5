import { adminPage } from "./parts/envoy.ts";

/** What Envoy's admin page /clusters says of one endpoint of a cluster. */
export interface Host {
  /** "healthy", or what stands against it: "/failed_active_hc/failed_eds_health". */
  flags: string;
  /** Calls that went there and came to an end, since Envoy has known it. */
  calls: number;
  /** Those of them that ended with 5xx or its gRPC kin, in time-outs and resets, or could not even be sent. */
  errors: number;
}

/** Every endpoint by `cluster::host:port`. Rejects when Envoy does not answer. */
export async function readHosts(adminPort: number): Promise<Map<string, Host>> {
  return parseHosts(await adminPage(adminPort, "/clusters"));
}

export function parseHosts(page: string): Map<string, Host> {
  const hosts = new Map<string, Host>();
  for (const [, place = "", field, value = ""] of page.matchAll(
    /^(\w+::[^:]+:\d+)::(health_flags|rq_success|rq_error)::(.*)$/gm,
  )) {
    const host = hosts.get(place) ?? { flags: "unknown", calls: 0, errors: 0 };
    if (field === "health_flags") host.flags = value;
    else host.calls += Number(value);
    if (field === "rq_error") host.errors = Number(value);
    hosts.set(place, host);
  }
  return hosts;
}

/** Whether its health is good, though it may be on standby. */
export function passesHealth(flags: string): boolean {
  return !/unknown|active_hc|outlier|immediate/.test(flags);
}
