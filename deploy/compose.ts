import { stringify } from "yaml";
import {
  databases,
  memberVariables,
  type ProcessName,
  type ProcessRow,
  processes,
  publicPorts,
} from "../cli/topology.ts";
import type { EnvoyOptions } from "../envoy/options.ts";
import { serviceNames } from "../envoy/options.ts";

/** Ports inside the containers, by their names in the topology. */
const ports: Record<string, number> = { grpc: 50051, admin: 9464, http: 8000, smtp: 1025, web: publicPorts.mail.port };
const meshPort = 15001;
const postgres = (database: string) => `postgres://postgres:\${POSTGRES_PASSWORD:-taskmesh}@postgres:5432/${database}`;
const healthy = (names: readonly string[]) =>
  Object.fromEntries(
    names.map((name) => [name, { condition: name === "setup" ? "service_completed_successfully" : "service_healthy" }]),
  );
const check = (test: string[]) => ({ test: ["CMD", ...test], interval: "2s", timeout: "3s", retries: 60 });

/** The files of the containers' set-up, made from the topology: path from the root of the repository to text. */
export function composeFiles(): Record<string, string> {
  const heading = "# Made from cli/topology.ts by `npm run compose`; a test compares them.\n";
  return {
    "docker-compose.yml": heading + stringify(composition(), { aliasDuplicateObjects: false, lineWidth: 0 }),
    "deploy/compose/databases.sql": databases.map((name) => `CREATE DATABASE ${name};\n`).join(""),
  };
}

function composition() {
  return {
    name: "taskmesh",
    services: {
      ...parts,
      setup: {
        build: image,
        command: ["node", "deploy/setup.ts"],
        environment: rateLimits,
        volumes: ["keys:/keys", "envoy:/envoy"],
      },
      ...Object.fromEntries(Object.entries(processes).map(([name, row]) => [name, member(name as ProcessName, row)])),
    },
    networks: { edge: {}, app: {}, data: { internal: true } },
    volumes: { postgres: {}, kafka: {}, keys: {}, envoy: {}, mail: {} },
  };
}

const rateLimits = {
  RATE_LIMIT_PRESET: "${RATE_LIMIT_PRESET:-standard}",
  RATE_LIMIT_SCALE: "${RATE_LIMIT_SCALE:-1}",
};
const image = { context: ".", dockerfile: "deploy/Dockerfile" };

const parts = {
  postgres: {
    image: "postgres:18",
    environment: { POSTGRES_PASSWORD: "${POSTGRES_PASSWORD:-taskmesh}" },
    command: ["-c", "max_connections=400"],
    volumes: [
      "postgres:/var/lib/postgresql",
      "./deploy/compose/databases.sql:/docker-entrypoint-initdb.d/databases.sql:ro",
    ],
    healthcheck: check(["pg_isready", "-U", "postgres", "-d", databases.at(-1) ?? ""]),
    networks: ["data"],
  },
  redis: {
    image: "redis:7-alpine",
    command: ["redis-server", "--save", "", "--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"],
    healthcheck: check(["redis-cli", "ping"]),
    networks: ["data"],
  },
  kafka: {
    image: "apache/kafka:4.1.0",
    environment: kafkaEnvironment(),
    volumes: ["kafka:/var/lib/kafka/data"],
    healthcheck: check(["/opt/kafka/bin/kafka-broker-api-versions.sh", "--bootstrap-server", "localhost:9092"]),
    networks: ["data"],
  },
  jaeger: {
    image: "jaegertracing/jaeger:2.11.0",
    ports: [`127.0.0.1:\${JAEGER_PORT:-${publicPorts.jaeger.port}}:16686`],
    networks: ["app", "edge"],
  },
  envoy: {
    image: "envoyproxy/envoy:v1.40.0",
    command: ["envoy", "-c", "/envoy/envoy.yaml", "--concurrency", "2"],
    volumes: ["envoy:/envoy:ro"],
    depends_on: { setup: { condition: "service_completed_successfully" } },
    ports: [`127.0.0.1:\${EDGE_PORT:-${publicPorts.edge.port}}:${publicPorts.edge.port}`],
    networks: ["edge", "app"],
  },
};

function kafkaEnvironment() {
  return {
    KAFKA_NODE_ID: 1,
    KAFKA_PROCESS_ROLES: "broker,controller",
    KAFKA_LISTENERS: "PLAINTEXT://:9092,CONTROLLER://:9093",
    KAFKA_ADVERTISED_LISTENERS: "PLAINTEXT://kafka:9092",
    KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
    KAFKA_CONTROLLER_QUORUM_VOTERS: "1@localhost:9093",
    KAFKA_LOG_DIRS: "/var/lib/kafka/data",
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: 1,
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: 1,
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: 1,
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: 0,
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
  };
}

function member(name: ProcessName, row: ProcessRow) {
  const page = row.member ? `http://127.0.0.1:${ports.admin}/ready` : `http://127.0.0.1:${ports.web}/health`;
  const telemetry = row.member ? ["--import", "./observability/register.ts"] : [];
  return {
    build: image,
    command: ["node", `--max-old-space-size=${row.heapMiB}`, ...telemetry, row.entry],
    environment: environmentOf(name, row),
    depends_on: healthy([...(row.member ? ["setup"] : []), ...row.after]),
    healthcheck: check(["node", "-e", `fetch("${page}").then((r) => process.exit(r.ok ? 0 : 1))`]),
    volumes: row.member ? ["keys:/keys:ro"] : ["mail:/mail"],
    ...(name === "mail" ? { ports: [`127.0.0.1:\${MAIL_UI_PORT:-${publicPorts.mail.port}}:${ports.web}`] } : {}),
    deploy: { replicas: row.replicas.light },
    networks: row.member ? ["app", "data"] : ["app", "edge"],
    restart: "unless-stopped",
  };
}

function environmentOf(name: ProcessName, row: ProcessRow): Record<string, string> {
  const values: Record<string, string> = {
    SERVICE_NAME: name,
    HOST: "0.0.0.0",
    MESH_ADDRESS: `envoy:${meshPort}`,
    MESH_IDENTITY_KEY_FILE: `/keys/${name}.jwk.json`,
    MESH_IDENTITY_JWKS_FILE: "/keys/services.jwks.json",
    REDIS_URL: "redis://redis:6379",
    KAFKA_BROKERS: "kafka:9092",
    KAFKA_PARTITIONS: "12",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://jaeger:4318",
    AUTH_KEY_SECRET_FILE: "/keys/auth-key-secret",
    PUBLIC_URL: `\${PUBLIC_URL:-http://127.0.0.1:${publicPorts.edge.port}}`,
    SMTP_URL: `\${SMTP_URL:-smtp://mail:${ports.smtp}}`,
    MAIL_FROM: "${MAIL_FROM:-Taskmesh <taskmesh@localhost>}",
    MAIL_FOLDER: "/mail",
    ETAG_MODE: "${ETAG_MODE:-advisory}",
    ...rateLimits,
  };
  // The instance's id is the name of its container, which differs from replica to replica.
  const variables = [...(row.member ? memberVariables : []), ...row.variables].filter((variable) => variable in values);
  const told = Object.fromEntries(variables.map((variable) => [variable, values[variable] as string]));
  for (const [port, variable] of Object.entries(row.ports)) told[variable] = String(ports[port]);
  if (row.database !== undefined) told[row.database.variable] = postgres(row.database.name);
  return told;
}

/** Where Envoy finds everything inside the containers. */
export function envoyOptions(): EnvoyOptions {
  const endpoint = (host: string, port: string) => [{ host, port: ports[port] as number }];
  const services = Object.fromEntries(serviceNames.map((name) => [name, endpoint(name, "grpc")]));
  return {
    directory: "/envoy",
    host: "0.0.0.0",
    discovery: "dns",
    edgePort: publicPorts.edge.port,
    meshPort,
    adminPort: publicPorts.envoyAdmin.port,
    gatewayHttp: endpoint("gateway", "http"),
    gatewayGrpc: endpoint("gateway", "grpc"),
    services: services as EnvoyOptions["services"],
    otlp: { host: "jaeger", port: 4317 },
  };
}
