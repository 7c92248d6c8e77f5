import { type LbPolicy, lbPolicies } from "../../envoy/balancing.ts";
import { type PartName, type Profile, processes, profiles, publicPorts } from "../topology.ts";
import { UserError } from "../user-error.ts";
import { isPortFree, PortBook } from "./ports.ts";

/** What the runner itself reads beside the public ports, with its meaning. */
export const runnerVariables: Readonly<Record<string, string>> = {
  MESH_HOME: "the folder of data, keys and logs; .mesh unless set",
  MESH_PROFILE: "light, default, medium or heavy; light unless set",
  TASKMESH_CACHE: "where fetched parts are kept, for all checkouts; ~/.cache/taskmesh unless set",
  POSTGRES_URL: "a PostgreSQL server to use instead of one of our own, with the right to create databases",
  KAFKA_HOME: "an installed Kafka to run instead of the fetched one",
  JAVA_HOME: "the Java to run Kafka with; the one on PATH unless set",
  EDGE_TLS_CERT_FILE: "the certificate of the TLS edge (PEM); self-signed unless set",
  EDGE_TLS_KEY_FILE: "the key of that certificate (PEM)",
  LB_POLICY: "how Envoy deals calls out: least_request, round_robin or ip_hash; least_request unless set",
  POSTGRES_REPLICAS: "read replicas of our own PostgreSQL, 0 to 2; 2 from profile medium on and else none unless set",
  MESH_PROMETHEUS: "true or false: whether Prometheus runs too; from profile medium on unless set",
  MESH_FAULTS: "true: started for faults, as `mesh up --faults` does; without unless set",
  JAEGER_QUERY_URL: "where `mesh trace` and the ops pages ask for traces; our own Jaeger unless set",
  OPS_URL: "the ops server that `mesh top` and `mesh ops` ask; that of the mesh that runs here unless set",
};

export type PublicPortName = keyof typeof publicPorts;

/** What the environment says about this mesh. */
export interface Settings {
  profile: Profile;
  publicPorts: Readonly<Record<PublicPortName, number>>;
  /** Parts and servers of others, that are used instead of our own. */
  external: { postgres?: string; redis?: string; kafka?: string; otlp?: string; smtp?: string };
  /** True when every service has been given a database URL, so that no server of ours is needed. */
  databasesGiven: boolean;
  /** How many replicas our own PostgreSQL has. */
  postgresReplicas: number;
  /** Whether Prometheus runs beside the mesh; `wished`: by somebody, not by the profile alone. */
  prometheus: boolean | "wished";
  /** RATE_LIMIT_SCALE: by how much limits are multiplied; Infinity when there are none. */
  rateLimitScale: number;
  /** OVERLOAD_SHED: whether calls are refused when there are too many. */
  shed: boolean;
  /** OVERLOAD_MIN_CALLS: how many calls a process always takes. */
  minCalls: number;
  /** LB_POLICY: how Envoy deals calls out among the healthy instances. */
  lbPolicy: LbPolicy;
  /** Share of new traces that are kept, which Envoy decides as the first hop. 0: nobody makes any. */
  sampleRatio: number;
  /** Whether `mesh fault` may come between the processes and the parts; what that takes is there only then. */
  faults: boolean;
}

/** Reads the environment; throws one line for each wrong variable. */
export function readSettings(wishedProfile?: string, source: NodeJS.ProcessEnv = process.env): Settings {
  const faults: string[] = [];
  const ports = Object.fromEntries(
    Object.entries(publicPorts).map(([name, { variable, port }]) => {
      const text = source[variable] || String(port);
      const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
      if (value < 1 || value > 65_535) faults.push(`${variable} is wrong: it must be a port from 1 to 65535`);
      return [name, value];
    }),
  ) as Record<PublicPortName, number>;
  faults.push(...doublePorts(ports));
  const profile = wishedProfile ?? (source.MESH_PROFILE || "light");
  if (!profiles.includes(profile as Profile)) {
    faults.push(`There is no profile "${profile}": take one of ${profiles.join(", ")}`);
  }
  const sampleRatio = Number(source.OTEL_TRACES_SAMPLER_ARG || 1);
  if (!(sampleRatio >= 0 && sampleRatio <= 1)) {
    faults.push("OTEL_TRACES_SAMPLER_ARG is wrong: it must be a number from 0 to 1");
  }
  const lbPolicy = (source.LB_POLICY || "least_request").toUpperCase() as LbPolicy;
  if (!lbPolicies.includes(lbPolicy)) {
    faults.push("LB_POLICY is wrong: it must be least_request, round_robin or ip_hash");
  }
  const limits = readLimits(source, faults);
  const beside = readBeside(profile, source, faults);
  if (faults.length > 0) throw new UserError(faults.join("\n"));
  return {
    profile: profile as Profile,
    publicPorts: ports,
    external: {
      postgres: source.POSTGRES_URL || undefined,
      redis: source.REDIS_URL || undefined,
      kafka: source.KAFKA_BROKERS || undefined,
      otlp: source.OTEL_EXPORTER_OTLP_ENDPOINT || undefined,
      smtp: source.SMTP_URL || undefined,
    },
    databasesGiven: databaseVariables().every((variable) => source[variable]),
    ...beside,
    ...limits,
    lbPolicy,
    sampleRatio,
    faults: source.MESH_FAULTS === "true",
  };
}

/** How much is let in. */
function readLimits(
  { RATE_LIMIT_PRESET, RATE_LIMIT_SCALE, OVERLOAD_SHED, OVERLOAD_MIN_CALLS }: NodeJS.ProcessEnv,
  faults: string[],
): Pick<Settings, "rateLimitScale" | "shed" | "minCalls"> {
  const rateLimitScale = RATE_LIMIT_PRESET === "off" ? Infinity : Number(RATE_LIMIT_SCALE || 1);
  if (!(rateLimitScale > 0)) faults.push("RATE_LIMIT_SCALE is wrong: it must be a number above 0");
  const minCalls = Number(OVERLOAD_MIN_CALLS || 32);
  if (!Number.isInteger(minCalls) || minCalls < 1 || minCalls > 100_000) {
    faults.push("OVERLOAD_MIN_CALLS is wrong: it must be a whole number from 1 to 100000");
  }
  return { rateLimitScale, shed: OVERLOAD_SHED !== "false", minCalls };
}

/** What comes with a large profile, and with others when it is asked for. */
function readBeside(
  profile: string,
  { POSTGRES_REPLICAS, MESH_PROMETHEUS }: NodeJS.ProcessEnv,
  faults: string[],
): Pick<Settings, "postgresReplicas" | "prometheus"> {
  const isLarge = profile === "medium" || profile === "heavy";
  const replicas = POSTGRES_REPLICAS || (isLarge ? "2" : "0");
  if (!/^[0-2]$/.test(replicas)) faults.push("POSTGRES_REPLICAS is wrong: it must be 0, 1 or 2");
  const prometheus = MESH_PROMETHEUS || "";
  if (!/^(true|false)?$/.test(prometheus)) faults.push("MESH_PROMETHEUS is wrong: it must be true or false");
  return {
    postgresReplicas: Number(replicas),
    prometheus: prometheus === "" ? isLarge : prometheus === "true" && "wished",
  };
}

/** The public ports that this mesh will listen on itself. */
export function ownPublicPorts(settings: Settings): PublicPortName[] {
  const names: PublicPortName[] = ["edge", "edgeTls", "envoyAdmin", "ops"];
  if (ownParts(settings).includes("jaeger")) names.push("jaeger");
  if (settings.external.smtp === undefined) names.push("mail");
  if (settings.prometheus) names.push("prometheus");
  return names;
}

/** Throws one line for each public port that another program holds, with the variable that moves ours. */
export async function checkPublicPorts(settings: Settings): Promise<void> {
  const taken: string[] = [];
  const book = new PortBook(Object.values(settings.publicPorts));
  for (const name of ownPublicPorts(settings)) {
    const port = settings.publicPorts[name];
    if (await isPortFree(port)) continue;
    const { title, variable } = publicPorts[name];
    const free = await book.take(port + 1);
    taken.push(`Port ${port} (${title}) is taken by another program: stop that, or move ours with ${variable}=${free}`);
  }
  if (taken.length > 0) throw new UserError(taken.join("\n"));
}

/** The parts that this mesh runs itself. */
export function ownParts({ external, databasesGiven, sampleRatio, ...wished }: Settings): PartName[] {
  const parts: PartName[] = ["envoy"];
  if (external.postgres === undefined && !databasesGiven) {
    parts.push("postgres");
    if (wished.postgresReplicas > 0) parts.push("postgres-replica");
  }
  if (external.redis === undefined) parts.push("redis");
  if (external.kafka === undefined) parts.push("kafka");
  if (external.otlp === undefined && sampleRatio > 0) parts.push("jaeger");
  if (wished.prometheus) parts.push("prometheus");
  return parts;
}

function databaseVariables(): string[] {
  const variables = Object.values(processes).flatMap((row) => row.database?.variable ?? []);
  return [...new Set(variables)];
}

function doublePorts(ports: Readonly<Record<PublicPortName, number>>): string[] {
  const seen = new Map<number, string>();
  return Object.entries(ports).flatMap(([name, port]) => {
    const { variable } = publicPorts[name as PublicPortName];
    const other = seen.get(port);
    seen.set(port, variable);
    return other === undefined || port === 0
      ? []
      : [`${other} and ${variable} are both ${port}: give each its own port`];
  });
}
