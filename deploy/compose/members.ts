import {
  memberVariables,
  nodeArguments,
  type ProcessName,
  type ProcessRow,
  processes,
  publicPorts,
} from "../../cli/topology.ts";
import { after, confined, memberResources, pageAnswers, partResources, supervised } from "./confinement.ts";
import { ourImage } from "./images.ts";
import { published } from "./parts.ts";
import { keyFiles, keysFolder, meshPort, ports, type Servers } from "./places.ts";
import { passedOn } from "./variables.ts";

export const rateLimits = {
  RATE_LIMIT_PRESET: "${RATE_LIMIT_PRESET:-standard}",
  RATE_LIMIT_SCALE: "${RATE_LIMIT_SCALE:-1}",
};

/** The variable that says how many containers of a process there are. */
export const replicasVariable = (name: ProcessName): string => `${name.toUpperCase()}_REPLICAS`;

/** The container of one process of ours. */
export function member(name: ProcessName, servers: Servers) {
  return processes[name].member ? meshMember(name, servers) : mailServer(name);
}

function meshMember(name: ProcessName, servers: Servers) {
  const row = processes[name];
  return {
    ...ourImage,
    ...process(row),
    environment: environmentOf(name),
    ...after(["setup", ...row.after.map((unit) => (unit === "postgres" ? serverOf(row, servers) : unit)), "envoy"]),
    healthcheck: pageAnswers(ports.admin, "/ready"),
    volumes: [`keys-${name}:${keysFolder}:ro`],
    networks: networksOf(row, servers),
    ...supervised(memberResources, {
      replicas: `\${${replicasVariable(name)}:-${row.replicas.light}}`,
      update_config: { order: "start-first", failure_action: "rollback" },
    }),
  };
}

function mailServer(name: ProcessName) {
  return {
    ...ourImage,
    ...process(processes[name]),
    environment: environmentOf(name),
    healthcheck: pageAnswers(ports.web, "/health"),
    volumes: ["mail:/mail"],
    ports: [published(publicPorts.mail.variable, publicPorts.mail.port, ports.web)],
    networks: ["app"],
    ...supervised(partResources.small),
  };
}

function process(row: ProcessRow) {
  return {
    command: ["node", ...nodeArguments(row)],
    // Node as process 1 would ignore SIGTERM until it has set its handlers.
    init: true,
    // Longer than the drain and the closing that follows it.
    stop_grace_period: "30s",
    ...confined(["/tmp"]),
  };
}

function networksOf(row: ProcessRow, servers: Servers): string[] {
  const own = row.database === undefined ? [] : [servers.network(serverOf(row, servers))];
  return [...new Set(["app", "data", ...own])];
}

function serverOf({ database }: ProcessRow, servers: Servers): string {
  return servers.of(database?.name ?? "");
}

function environmentOf(name: ProcessName): Record<string, string | null> {
  const row = processes[name];
  const values: Record<string, string> = {
    SERVICE_NAME: name,
    HOST: "0.0.0.0",
    MESH_ADDRESS: `envoy:${meshPort}`,
    MESH_IDENTITY_KEY_FILE: keyFiles.identity,
    MESH_IDENTITY_JWKS_FILE: keyFiles.jwks,
    REDIS_URL: "redis://redis:6379",
    KAFKA_BROKERS: "kafka:9092",
    KAFKA_PARTITIONS: "12",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://jaeger:4318",
    AUTH_KEY_SECRET_FILE: keyFiles.authSecret,
    PUSH_VAPID_KEY_FILE: keyFiles.pushKeys,
    PUSH_SUBJECT: "${PUSH_SUBJECT:-}",
    WEBHOOK_KEY_SECRET_FILE: keyFiles.webhookSecret,
    PUBLIC_URL: `\${PUBLIC_URL:-http://127.0.0.1:${publicPorts.edge.port}}`,
    SMTP_URL: `\${SMTP_URL:-smtp://mail:${ports.smtp}}`,
    MAIL_FROM: "${MAIL_FROM:-Taskmesh <taskmesh@localhost>}",
    MAIL_FOLDER: "/mail",
    ...rateLimits,
  };
  // The instance's id is the name of its container, which differs from replica to replica.
  const variables = [...(row.member ? memberVariables : []), ...row.variables].filter((variable) => variable in values);
  const told = Object.fromEntries(variables.map((variable) => [variable, values[variable] as string]));
  for (const [port, variable] of Object.entries(row.ports)) told[variable] = String(ports[port as keyof typeof ports]);
  if (row.database !== undefined) told[`${row.database.variable}_FILE`] = keyFiles.databaseUrl;
  return { ...told, ...passedOn(name, Object.keys(told)) };
}
