import { lookup } from "node:dns/promises";
import type { Source, SourceInstance } from "./source.ts";

/** A service whose instances all answer to one name: `auth` at port 9464. */
export interface NamedService {
  name: string;
  host: string;
  port: number;
}

export interface DnsSourceOptions {
  services: readonly NamedService[];
  envoyUrl: string | undefined;
  brokers: string[];
}

/** Containers: every address of a service's name is an instance of it. A name that nobody has counts as one that is away. */
export function dnsSource({ services, envoyUrl, brokers }: DnsSourceOptions): Source {
  return {
    envoyUrl,
    brokers,
    instances: async () => (await Promise.all(services.map(instancesOf))).flat(),
  };
}

async function instancesOf({ name, host, port }: NamedService): Promise<SourceInstance[]> {
  const addresses = await lookup(host, { all: true, family: 4 }).catch(() => []);
  if (addresses.length === 0) return [{ name, unit: name, status: "away" }];
  return addresses
    .map(({ address }) => address)
    .sort((one, other) => one.localeCompare(other, "en", { numeric: true }))
    .map((address) => ({
      name: addresses.length === 1 ? name : `${name}@${address}`,
      unit: name,
      status: "ready",
      metricsUrl: `http://${address}:${port}/metrics`,
    }));
}
