import { cpSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { processes } from "../topology.ts";
import { type Home, repositoryRoot } from "./home.ts";
import type { Instance } from "./instance.ts";
import { unitOf } from "./status.ts";

interface TargetGroup {
  targets: string[];
  labels: Record<string, string>;
}

export interface ScrapePorts {
  envoyAdmin: number;
  ops: number;
}

/** The folder that Prometheus is started with: `prometheus --config.file=<folder>/prometheus.yml`. */
export function prometheusFolder(home: Home): string {
  return join(home.folder, "prometheus");
}

/** Copies Prometheus' configuration and rules beside the targets of this mesh. */
export function prepareScraping(home: Home): void {
  const folder = prometheusFolder(home);
  mkdirSync(folder, { recursive: true });
  const source = join(repositoryRoot, "observability/prometheus");
  for (const name of ["prometheus.yml", "rules"]) cpSync(join(source, name), join(folder, name), { recursive: true });
}

/** Writes down who is there to be scraped (Prometheus' file_sd); Prometheus follows the files. */
export function writeScrapeTargets(home: Home, instances: readonly Instance[], ports: ScrapePorts): void {
  const folder = join(prometheusFolder(home), "targets");
  mkdirSync(folder, { recursive: true });
  const one = (service: string, port: number) => [group(service, service, port)];
  const files: Record<string, TargetGroup[]> = {
    mesh: instances.flatMap(({ name, ports: { admin } }) => {
      const unit = unitOf(name);
      return admin !== undefined && unit in processes ? [group(unit, name, admin)] : [];
    }),
    envoy: one("envoy", ports.envoyAdmin),
    parts: one("ops", ports.ops),
  };
  for (const [name, groups] of Object.entries(files)) {
    const path = join(folder, `${name}.json`);
    writeFileSync(`${path}.draft`, `${JSON.stringify(groups, undefined, 2)}\n`);
    renameSync(`${path}.draft`, path);
  }
}

function group(service: string, instance: string, port: number): TargetGroup {
  return { targets: [`127.0.0.1:${port}`], labels: { service, instance } };
}
