import { databases, type PartName } from "../topology.ts";
import { edgeCertificate } from "./certificate.ts";
import { databaseUrl } from "./db/databases.ts";
import type { Edge } from "./edge.ts";
import type { Surroundings } from "./environment.ts";
import type { Home } from "./home.ts";
import { ensureKeys } from "./keys.ts";
import type { MeshPorts } from "./mesh-ports.ts";
import type { PartContext, Programs } from "./part-specs.ts";
import { cacheFolder } from "./parts/cache.ts";
import * as postgres from "./parts/postgres.ts";
import type { Settings } from "./settings.ts";

/** What a mesh will run with: made before anything is started. */
export interface Plan {
  partPorts: Record<PartName, Record<string, number>>;
  parts: PartContext;
  surroundings: Surroundings;
  /** The superuser's URL, by which databases are made; undefined when every service was given one. */
  adminUrl: string | undefined;
}

export interface PlanInput {
  home: Home;
  settings: Settings;
  programs: Programs;
  ports: MeshPorts;
  edge: Edge;
  /** False: nothing takes traces, and nobody makes any. */
  tracing: boolean;
}

/** Settles ports, secrets, addresses and Envoy's configuration. */
export async function makePlan({ home, settings, programs, ports, edge, tracing }: PlanInput): Promise<Plan> {
  const keys = ensureKeys(home.keys);
  const partPorts = {
    postgres: await ports.ofPart("postgres"),
    redis: await ports.ofPart("redis"),
    kafka: await ports.ofPart("kafka"),
    envoy: await ports.ofPart("envoy"),
    jaeger: await ports.ofPart("jaeger"),
  };
  const mail = await ports.ofInstance("mail", "mail");
  const { external, publicPorts } = settings;
  const adminUrl = await adminUrlOf(settings, {
    port: partPorts.postgres.sql as number,
    passwordFile: keys.postgresPassword,
  });
  const mesh = partPorts.envoy.mesh as number;
  const ownOtlp = tracing && external.otlp === undefined;
  const envoyConfig = await edge.configure(
    { edge: publicPorts.edge, edgeTls: publicPorts.edgeTls, admin: publicPorts.envoyAdmin, mesh },
    {
      tls: await edgeCertificate(home.keys),
      otlpGrpcPort: ownOtlp ? partPorts.jaeger["otlp-grpc"] : undefined,
      samplePercent: settings.sampleRatio * 100,
      rateLimitScale: settings.rateLimitScale,
    },
  );
  return {
    partPorts,
    adminUrl,
    parts: {
      home,
      programs,
      passwordFile: keys.postgresPassword,
      envoyConfig,
      adminPort: publicPorts.envoyAdmin,
      queryPort: publicPorts.jaeger,
    },
    surroundings: {
      keys,
      databases: Object.fromEntries(databases.map((name) => [name, adminUrl ? databaseUrl(adminUrl, name) : ""])),
      redis: external.redis ?? `redis://127.0.0.1:${partPorts.redis.redis}`,
      kafka: external.kafka ?? `127.0.0.1:${partPorts.kafka.broker}`,
      mesh: `127.0.0.1:${mesh}`,
      smtp: external.smtp ?? `smtp://127.0.0.1:${mail.smtp}`,
      otlp: ownOtlp ? `http://127.0.0.1:${partPorts.jaeger["otlp-http"]}` : external.otlp,
      publicUrl: `http://127.0.0.1:${publicPorts.edge}`,
      mailFolder: home.mail,
      cacheFolder: cacheFolder(),
    },
  };
}

async function adminUrlOf(
  { external, databasesGiven }: Settings,
  own: { port: number; passwordFile: string },
): Promise<string | undefined> {
  if (external.postgres !== undefined) return external.postgres;
  return databasesGiven ? undefined : postgres.addressOf(own);
}
