import { memberVariables, type ProcessName, processes } from "../topology.ts";
import type { KeyFiles } from "./keys.ts";

/** The addresses and files of one mesh, which its processes are told about. */
export interface Surroundings {
  keys: KeyFiles;
  databases: Readonly<Record<string, string>>;
  /** The replica that answers reads of each; empty for none. */
  readDatabases: Readonly<Record<string, string>>;
  redis: string;
  kafka: string;
  /** host:port of Envoy's mesh listener. */
  mesh: string;
  smtp: string;
  /** Undefined: nothing takes traces. */
  otlp: string | undefined;
  publicUrl: string;
  mailFolder: string;
  /** The file by which consumers are told to fail; undefined unless the mesh was started for faults. */
  faultsFile?: string | undefined;
  /** Where Node keeps what it has compiled. */
  compileCache: string;
  /** Settles once all that the processes load is there. */
  compiled: Promise<void>;
}

/** What the operator's own environment may change for every process. */
const overridable = [
  "PUBLIC_URL",
  "MAIL_FROM",
  "KAFKA_PARTITIONS",
  "AUTH_KEY_SECRET_FILE",
  "PUSH_VAPID_KEY_FILE",
  "WEBHOOK_KEY_SECRET_FILE",
];

/** The whole environment of one instance: the operator's own, and over it what the mesh decides. */
export function environmentOf(
  name: ProcessName,
  instance: string,
  ports: Readonly<Record<string, number>>,
  surroundings: Surroundings,
): Record<string, string> {
  const row = processes[name];
  const values = valuesOf(name, instance, surroundings);
  const variables = [...(row.member ? memberVariables : []), ...row.variables];
  const decided: Record<string, string> = {
    NODE_COMPILE_CACHE: surroundings.compileCache,
    // glibc otherwise keeps freed memory apart for every thread: a tenth more resident memory for nothing.
    MALLOC_ARENA_MAX: "2",
    // … and what a hash of a password took: blocks of a MiB and more go back to the system, for a fifth of its time.
    MALLOC_MMAP_THRESHOLD_: "1048576",
  };
  for (const variable of variables) {
    const given = overridable.includes(variable) ? process.env[variable] : undefined;
    const value = given || values[variable];
    if (value !== undefined) decided[variable] = value;
  }
  for (const [port, variable] of Object.entries(row.ports)) decided[variable] = String(ports[port]);
  return { ...operatorEnvironment(), ...decided, ...databaseVariables(name, surroundings) };
}

/** Where its database is: one that the operator gives has no replica of ours. */
function databaseVariables(name: ProcessName, { databases, readDatabases }: Surroundings): Record<string, string> {
  const { database } = processes[name];
  if (database === undefined) return {};
  const { name: own, variable, readVariable } = database;
  const given = process.env[variable];
  // The aliases would name the replica, or the pooler, of another server than ours.
  const hosts: Record<string, string> = given ? {} : { DATABASE_READ_HOST: "", DATABASE_POOLER_HOST: "" };
  const poolerVariable = variable.replace(/_URL$/, "_POOLER_URL");
  const pooler = given && process.env[poolerVariable];
  const variables = {
    ...hosts,
    [variable]: given || (databases[own] ?? ""),
    ...(pooler ? { [poolerVariable]: pooler } : {}),
  };
  if (readVariable === undefined) return variables;
  const read = process.env[readVariable] || (given ? undefined : readDatabases[own]);
  return read ? { ...variables, [readVariable]: read } : variables;
}

function valuesOf(name: ProcessName, instance: string, at: Surroundings): Record<string, string | undefined> {
  return {
    SERVICE_NAME: name,
    SERVICE_INSTANCE_ID: instance,
    HOST: "127.0.0.1",
    MESH_ADDRESS: at.mesh,
    MESH_IDENTITY_KEY_FILE: at.keys.identity[name],
    MESH_IDENTITY_JWKS_FILE: at.keys.jwks,
    REDIS_URL: at.redis,
    KAFKA_BROKERS: at.kafka,
    KAFKA_PARTITIONS: "12",
    OTEL_EXPORTER_OTLP_ENDPOINT: at.otlp,
    AUTH_KEY_SECRET_FILE: at.keys.authSecret,
    PUSH_VAPID_KEY_FILE: at.keys.pushKeys,
    WEBHOOK_KEY_SECRET_FILE: at.keys.webhookSecret,
    PUBLIC_URL: at.publicUrl,
    SMTP_URL: at.smtp,
    MAIL_FROM: "Taskmesh <taskmesh@localhost>",
    MAIL_FOLDER: at.mailFolder,
    FAULTS_FILE: at.faultsFile,
  };
}

/** The variables of the shell, without npm's own, and without database URLs that only their owner should know. */
function operatorEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^npm_|_DB_(READ_|POOLER_)?URL$|^POSTGRES_URL$/i.test(entry[0]),
  );
  return Object.fromEntries(entries);
}
