/** What runs, how many of it, on which ports, after what. The runner, docker-compose.yml, the Kubernetes files and Envoy's clusters follow this table. */

export type Profile = "light" | "default" | "medium" | "heavy";
export type PartName = "postgres" | "postgres-replica" | "redis" | "kafka" | "jaeger" | "envoy" | "prometheus";
export type ProcessName = "mail" | "auth" | "user" | "task" | "notification" | "gateway" | "consumers";
export type UnitName = PartName | ProcessName;

/** An address that stays the same from start to start, and the environment variable that moves it. */
export interface PublicPort {
  title: string;
  variable: string;
  port: number;
}

export interface ProcessRow {
  /** What it is, for `mesh ps` and the docs. */
  title: string;
  /** The file that Node runs, from the root of the repository. */
  entry: string;
  /** Speaks gRPC to others, and so loads telemetry first and has an identity; the development mail server does not. */
  member: boolean;
  /** Whether the others go before it when there is more to do than processors can: nobody waits for its answer. */
  background?: boolean;
  /** What must be ready before it starts. It stops before they do. */
  after: readonly UnitName[];
  /** Whom it calls once it runs. It stops before they do, too. */
  calls: readonly UnitName[];
  /** Its ports by name, with the environment variable that tells the process. */
  ports: Readonly<Record<string, string>>;
  /** Variables it reads beside those of every process. */
  variables: readonly string[];
  /** The database that it owns or writes to. */
  database?: {
    name: string;
    variable: string;
    /** Tells of the replica that answers reads. */
    readVariable?: string;
  };
  /** Envoy's clusters that its instances belong to, by the name of the port. */
  clusters: Readonly<Record<string, string>>;
  /** The port where Envoy asks all of these for their health, when it is not the one that serves. */
  healthPort?: string;
  replicas: Readonly<Record<Profile, number>>;
  /** The limit of Node's old generation in MiB. */
  heapMiB: number;
}

export const publicPorts = {
  edge: { title: "Edge (HTTP)", variable: "EDGE_PORT", port: 8080 },
  edgeTls: { title: "Edge (TLS)", variable: "EDGE_TLS_PORT", port: 8443 },
  jaeger: { title: "Jaeger", variable: "JAEGER_PORT", port: 16686 },
  mail: { title: "Mail inbox", variable: "MAIL_UI_PORT", port: 1080 },
  envoyAdmin: { title: "Envoy admin", variable: "ENVOY_ADMIN_PORT", port: 9901 },
  ops: { title: "Ops", variable: "OPS_PORT", port: 9902 },
  prometheus: { title: "Prometheus", variable: "PROMETHEUS_PORT", port: 9090 },
} as const satisfies Record<string, PublicPort>;

/** What every member of the mesh is told. */
export const memberVariables = [
  "SERVICE_NAME",
  "SERVICE_INSTANCE_ID",
  "HOST",
  "MESH_ADDRESS",
  "MESH_IDENTITY_KEY_FILE",
  "MESH_IDENTITY_JWKS_FILE",
  "REDIS_URL",
  "KAFKA_BROKERS",
  "KAFKA_PARTITIONS",
  "OTEL_EXPORTER_OTLP_ENDPOINT",
] as const;

const parts = ["postgres", "redis", "kafka"] as const;
const one = { light: 1, default: 1, medium: 1, heavy: 1 };

function service(name: "auth" | "user" | "task" | "notification", row: Partial<ProcessRow>): ProcessRow {
  return {
    title: `${name} service`,
    entry: `services/${name}/main.ts`,
    member: true,
    after: parts,
    calls: ["envoy"],
    ports: { grpc: "GRPC_PORT", admin: "ADMIN_PORT" },
    variables: [],
    database: {
      name,
      variable: `${name.toUpperCase()}_DB_URL`,
      readVariable: `${name.toUpperCase()}_DB_READ_URL`,
    },
    clusters: { grpc: name },
    replicas: one,
    heapMiB: 256,
    ...row,
  };
}

export const processes: Readonly<Record<ProcessName, ProcessRow>> = {
  mail: {
    title: "development mail server",
    entry: "cli/mail/main.ts",
    member: false,
    after: [],
    calls: [],
    ports: { smtp: "SMTP_PORT", web: "MAIL_UI_PORT" },
    variables: ["HOST", "MAIL_FOLDER"],
    clusters: {},
    replicas: one,
    heapMiB: 96,
  },
  auth: service("auth", {
    variables: ["AUTH_KEY_SECRET_FILE"],
    replicas: { light: 1, default: 2, medium: 2, heavy: 5 },
  }),
  user: service("user", { variables: ["ETAG_MODE"], replicas: { light: 1, default: 2, medium: 2, heavy: 5 } }),
  task: service("task", { variables: ["ETAG_MODE"], replicas: { light: 1, default: 2, medium: 3, heavy: 8 } }),
  notification: service("notification", {
    variables: ["ETAG_MODE", "PUSH_VAPID_KEY_FILE", "WEBHOOK_KEY_SECRET_FILE"],
    replicas: { light: 1, default: 2, medium: 2, heavy: 3 },
  }),
  gateway: {
    title: "gateway",
    entry: "gateway/main.ts",
    member: true,
    after: ["redis"],
    calls: ["envoy", "auth", "user", "task", "notification"],
    ports: { http: "GATEWAY_HTTP_PORT", grpc: "GATEWAY_GRPC_PORT", admin: "ADMIN_PORT" },
    variables: ["PUBLIC_URL", "RATE_LIMIT_PRESET", "RATE_LIMIT_SCALE"],
    clusters: { http: "gateway_http", grpc: "gateway_grpc" },
    healthPort: "http",
    replicas: { light: 1, default: 2, medium: 2, heavy: 4 },
    heapMiB: 320,
  },
  consumers: {
    title: "consumers of events",
    entry: "consumers/main.ts",
    member: true,
    background: true,
    after: [...parts, "mail"],
    calls: ["envoy", "auth", "user", "task", "notification"],
    ports: { admin: "ADMIN_PORT" },
    variables: [
      "SMTP_URL",
      "MAIL_FROM",
      "PUBLIC_URL",
      "FAULTS_FILE",
      "PUSH_VAPID_KEY_FILE",
      "PUSH_SUBJECT",
      "WEBHOOK_KEY_SECRET_FILE",
    ],
    database: { name: "notification", variable: "NOTIFICATION_DB_URL" },
    clusters: {},
    replicas: { light: 1, default: 3, medium: 5, heavy: 15 },
    heapMiB: 256,
  },
};

export const partTitles: Readonly<Record<PartName, string>> = {
  postgres: "PostgreSQL",
  "postgres-replica": "PostgreSQL replica",
  redis: "Redis",
  kafka: "Kafka",
  envoy: "Envoy",
  jaeger: "Jaeger",
  prometheus: "Prometheus",
};

export const processNames = Object.keys(processes) as ProcessName[];
export const profiles = Object.keys(one) as Profile[];

/**
 * What Node is started with: its bounds, telemetry before a member's own modules, and the entry file. A small young
 * generation and one helper thread of V8 instead of four keep 35 MiB of each process out of memory.
 */
export function nodeArguments({ heapMiB, member, entry }: ProcessRow): string[] {
  const bounds = [`--max-old-space-size=${heapMiB}`, "--max-semi-space-size=4", "--v8-pool-size=1"];
  return [...bounds, ...(member ? ["--import", "./observability/register.ts"] : []), entry];
}

/** The databases of the mesh, one for each service. */
export const databases: readonly string[] = [
  ...new Set(processNames.flatMap((name) => processes[name].database?.name ?? [])),
];

/** The name by which services know the operator's tool. */
export const operator = "operator";

/** Who has a key of its own, by which the services know it: the processes of the mesh, and its operator. */
export const identities: readonly string[] = [...processNames.filter((name) => processes[name].member), operator];
