import { rmSync } from "node:fs";
import { join } from "node:path";
import { databases } from "../topology.ts";
import { edgeCertificate } from "./certificate.ts";
import { compileAhead } from "./compile-ahead.ts";
import { databaseUrl, ownUrl } from "./db/databases.ts";
import type { Edge } from "./edge.ts";
import type { Surroundings } from "./environment.ts";
import { faultsFile } from "./fault/faults.ts";
import { Fronts } from "./fault/fronts.ts";
import { frontedPorts } from "./fault/targets.ts";
import type { Home } from "./home.ts";
import { ensureKeys } from "./keys.ts";
import type { MeshPorts } from "./mesh-ports.ts";
import type { PartContext, Programs, ReplicaPlan, SinglePart } from "./part-specs.ts";
import { cacheFolder } from "./parts/cache.ts";
import * as postgres from "./parts/postgres.ts";
import { ownParts, type Settings } from "./settings.ts";

/** What a mesh will run with: made before anything is started. */
export interface Plan {
  /** What the parts listen on. */
  partPorts: PartPorts;
  /** What others reach them on: the same, unless the mesh was started for faults. */
  reachedPorts: PartPorts;
  /** What stands before every part and instance; only in a mesh that was started for faults. */
  fronts: Fronts | undefined;
  /** The replicas of our own PostgreSQL. */
  replicas: readonly ReplicaPlan[];
  parts: PartContext;
  surroundings: Surroundings;
  /** The superuser's URL, by which databases are made; undefined when every service was given one. */
  adminUrl: string | undefined;
}

type PartPorts = Record<SinglePart, Record<string, number>>;

export interface PlanInput {
  home: Home;
  settings: Settings;
  programs: Programs;
  ports: MeshPorts;
  edge: Edge;
  /** False: nothing takes traces, and nobody makes any. */
  tracing: boolean;
  /** Aborts when the mesh begins to stop. */
  signal: AbortSignal;
}

/** Settles ports, secrets, addresses and Envoy's configuration. */
export async function makePlan({ home, settings, programs, ports, edge, tracing, signal }: PlanInput): Promise<Plan> {
  const keys = ensureKeys(home.keys);
  const compileCache = join(cacheFolder(), "node");
  const partPorts = {
    postgres: await ports.ofPart("postgres"),
    redis: await ports.ofPart("redis"),
    kafka: await ports.ofPart("kafka"),
    envoy: await ports.ofPart("envoy"),
    jaeger: await ports.ofPart("jaeger"),
    prometheus: await ports.ofPart("prometheus"),
  };
  const fronts = settings.faults ? new Fronts(ports) : undefined;
  // A runner that was killed has healed nothing.
  rmSync(faultsFile(home.folder), { force: true });
  const reachedPorts = fronts === undefined ? partPorts : await frontParts(fronts, partPorts);
  const replicas = await planReplicas(settings, ports, fronts);
  const ownMail = await ports.ofInstance("mail", "mail");
  const mail = (await fronts?.open("mail", ownMail, frontedPorts("mail"))) ?? ownMail;
  const { external, publicPorts } = settings;
  const adminUrl = await adminUrlOf(settings, {
    port: partPorts.postgres.sql as number,
    passwordFile: keys.postgresPassword,
  });
  const clientUrl = fronts && adminUrl && !external.postgres ? withPort(adminUrl, reachedPorts.postgres.sql) : adminUrl;
  const urlOf = external.postgres === undefined ? ownUrl : databaseUrl;
  const mesh = partPorts.envoy.mesh as number;
  const ownOtlp = tracing && external.otlp === undefined;
  const envoyConfig = await edge.configure(
    { edge: publicPorts.edge, edgeTls: publicPorts.edgeTls, admin: publicPorts.envoyAdmin, mesh },
    {
      tls: await edgeCertificate(home.keys),
      otlpGrpcPort: ownOtlp ? reachedPorts.jaeger["otlp-grpc"] : undefined,
      samplePercent: settings.sampleRatio * 100,
      rateLimitScale: settings.rateLimitScale,
      lbPolicy: settings.lbPolicy,
      shed: settings.shed,
      minCalls: settings.minCalls,
      faults: settings.faults,
    },
  );
  return {
    partPorts,
    reachedPorts,
    fronts,
    adminUrl,
    replicas,
    parts: {
      home,
      programs,
      passwordFile: keys.postgresPassword,
      replicationPasswordFile: keys.replicationPassword,
      envoyConfig,
      envoyEpoch: 0,
      kafkaFront: fronts && reachedPorts.kafka.broker,
      adminPort: publicPorts.envoyAdmin,
      queryPort: publicPorts.jaeger,
      prometheusPort: publicPorts.prometheus,
    },
    surroundings: {
      keys,
      databases: Object.fromEntries(databases.map((name) => [name, clientUrl ? urlOf(clientUrl, name) : ""])),
      readDatabases: Object.fromEntries(
        databases.map((name) => {
          const replica = replicaFor(name, replicas);
          return [name, replica && clientUrl ? urlOf(withPort(clientUrl, replica.reached.sql), name) : ""];
        }),
      ),
      redis: external.redis ?? `redis://127.0.0.1:${reachedPorts.redis.redis}`,
      kafka: external.kafka ?? `127.0.0.1:${reachedPorts.kafka.broker}`,
      mesh: `127.0.0.1:${reachedPorts.envoy.mesh}`,
      smtp: external.smtp ?? `smtp://127.0.0.1:${mail.smtp}`,
      otlp: ownOtlp ? `http://127.0.0.1:${reachedPorts.jaeger["otlp-http"]}` : external.otlp,
      publicUrl: `http://127.0.0.1:${publicPorts.edge}`,
      mailFolder: home.mail,
      faultsFile: fronts && faultsFile(home.folder),
      compileCache,
      compiled: compileAhead(compileCache, signal),
    },
  };
}

async function frontParts(fronts: Fronts, own: PartPorts): Promise<PartPorts> {
  const names = Object.keys(own) as SinglePart[];
  const entries = await Promise.all(
    names.map(async (name) => [name, await fronts.open(name, own[name], frontedPorts(name))] as const),
  );
  return Object.fromEntries(entries) as PartPorts;
}

/** Who answers the reads of a database: the first replica those of auth, the second all others. */
export function replicaFor<T>(database: string, replicas: readonly T[]): T | undefined {
  return database === "auth" ? replicas[0] : replicas.at(-1);
}

async function planReplicas(settings: Settings, ports: MeshPorts, fronts: Fronts | undefined): Promise<ReplicaPlan[]> {
  const plans: ReplicaPlan[] = [];
  const count = ownParts(settings).includes("postgres-replica") ? settings.postgresReplicas : 0;
  for (let number = 1; number <= count; number++) {
    const name = `postgres-replica-${number}`;
    const own = await ports.ofPart("postgres-replica", name);
    plans.push({ name, ports: own, reached: (await fronts?.open(name, own, frontedPorts("postgres-replica"))) ?? own });
  }
  return plans;
}

/** The same server's account and database, at another port. */
export function withPort(address: string, port: number | undefined): string {
  const url = new URL(address);
  url.port = String(port);
  return url.href;
}

async function adminUrlOf(
  { external, databasesGiven }: Settings,
  own: { port: number; passwordFile: string },
): Promise<string | undefined> {
  if (external.postgres !== undefined) return external.postgres;
  return databasesGiven ? undefined : postgres.addressOf(own);
}
