import { join } from "node:path";
import { type PartName, partTitles } from "../topology.ts";
import { messageOf, UserError } from "../user-error.ts";
import type { Home } from "./home.ts";
import * as envoy from "./parts/envoy.ts";
import * as jaeger from "./parts/jaeger.ts";
import * as kafka from "./parts/kafka.ts";
import * as postgres from "./parts/postgres.ts";
import * as replica from "./parts/postgres-replica.ts";
import type { Program, Progress } from "./parts/program.ts";
import * as prometheus from "./parts/prometheus.ts";
import * as redis from "./parts/redis.ts";
import type { ProcessSpec } from "./process-spec.ts";
import { prometheusFolder } from "./scrape-targets.ts";

/** The ports of each part by name; numbers are given out at start. */
export const partPorts = {
  postgres: ["sql"],
  "postgres-replica": ["sql"],
  redis: ["redis"],
  kafka: ["broker", "controller"],
  envoy: ["mesh"],
  jaeger: ["otlp-http", "otlp-grpc", "query-grpc", "health"],
  prometheus: [],
} as const satisfies Record<PartName, readonly string[]>;

type Ports = Readonly<Record<string, number>>;
export type Programs = { [K in keyof typeof partModules]?: Awaited<ReturnType<(typeof partModules)[K]["fetch"]>> };

export const partModules = { postgres, "postgres-replica": postgres, redis, kafka, envoy, jaeger, prometheus };

/** Finds the parts on this machine and fetches the missing ones side by side; throws a line for each that cannot be had. */
export async function acquireParts(names: readonly PartName[], progress: Progress): Promise<Programs> {
  const programs: Record<string, Program> = {};
  const results = await Promise.allSettled(
    names.map(async (name) => {
      programs[name] = (await partModules[name].locate()) ?? (await fetchTimed(name, progress));
    }),
  );
  const faults = results.flatMap((result) => (result.status === "rejected" ? [messageOf(result.reason)] : []));
  if (faults.length > 0) throw new UserError(faults.join("\n"));
  return programs as Programs;
}

async function fetchTimed(name: PartName, progress: Progress): Promise<Program> {
  const begin = Date.now();
  const program = await partModules[name].fetch(progress);
  progress(`${partTitles[name]}: fetched in ${Math.round((Date.now() - begin) / 1000)} s`);
  return program;
}

export interface PartContext {
  home: Home;
  programs: Programs;
  passwordFile: string;
  replicationPasswordFile: string;
  envoyConfig: string;
  /** Where clients of Kafka are sent, when that is not the broker's own port. */
  kafkaFront?: number | undefined;
  /** How often Envoy has handed over to a successor. */
  envoyEpoch: number;
  /** The public ports of Envoy's admin page, of Jaeger and of Prometheus. */
  adminPort: number;
  queryPort: number;
  prometheusPort: number;
}

/** A part of which there is one. */
export type SinglePart = Exclude<PartName, "postgres-replica">;

/** A replica of the mesh's own PostgreSQL: how it is run, and on which ports the services reach it. */
export interface ReplicaPlan {
  name: string;
  ports: Ports;
  reached: Ports;
}

/** How to run one replica in a mesh. */
export function describeReplica(
  { name, ports }: ReplicaPlan,
  primary: Ports,
  context: PartContext,
): Promise<ProcessSpec> {
  const { home, programs, passwordFile, replicationPasswordFile } = context;
  return replica.describe(programs.postgres as Program, {
    name,
    dataDir: join(home.data, name),
    logFile: join(home.logs, `${name}.log`),
    port: ports.sql as number,
    replicationPasswordFile,
    primary: { dataDir: join(home.data, "postgres"), port: primary.sql as number, passwordFile },
  });
}

/** How to run each part in a mesh. */
export async function describePart(name: SinglePart, ports: Ports, context: PartContext): Promise<ProcessSpec> {
  const { home, programs, passwordFile, envoyConfig, envoyEpoch, adminPort, queryPort } = context;
  const files = { dataDir: join(home.data, name), logFile: join(home.logs, `${name}.log`) };
  const port = (key: string) => ports[key] as number;
  const program = <K extends PartName>(key: K) => programs[key] as NonNullable<Programs[K]>;
  switch (name) {
    case "postgres":
      return postgres.describe(program("postgres"), { ...files, port: port("sql"), passwordFile });
    case "redis":
      return redis.describe(program("redis"), { ...files, port: port("redis") });
    case "kafka":
      return kafka.describe(program("kafka"), {
        ...files,
        port: port("broker"),
        controllerPort: port("controller"),
        advertisedPort: context.kafkaFront,
      });
    case "envoy":
      return envoy.describe(program("envoy"), {
        configFile: envoyConfig,
        adminPort,
        logFile: files.logFile,
        // Nobody else on this machine has the port, so nobody has the number.
        succession: { id: port("mesh"), epoch: envoyEpoch },
      });
    case "jaeger":
      return jaeger.describe(program("jaeger"), {
        ...files,
        queryPort,
        queryGrpcPort: port("query-grpc"),
        otlpHttpPort: port("otlp-http"),
        otlpGrpcPort: port("otlp-grpc"),
        healthPort: port("health"),
      });
    case "prometheus":
      return prometheus.describe(program("prometheus"), {
        ...files,
        port: context.prometheusPort,
        configFolder: prometheusFolder(home),
      });
  }
}
