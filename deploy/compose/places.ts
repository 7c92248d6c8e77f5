import { type ProcessName, processes, processNames, publicPorts } from "../../cli/topology.ts";

/** Ports inside the containers, by their names in the topology. */
export const ports = { grpc: 50051, admin: 9464, http: 8000, smtp: 1025, web: publicPorts.mail.port } as const;
export const meshPort = 15001;
/** Where Envoy's statistics can be read in the network of the services. */
export const statisticsPort = 9903;
/** Where the TLS edge listens, when there is a certificate. */
export const edgeTlsPort = publicPorts.edgeTls.port;

export const members: readonly ProcessName[] = processNames.filter((name) => processes[name].member);

/** Where a container finds its own secrets, and `setup` finds those of all, each in a folder by the owner's name. */
export const keysFolder = "/keys";

/** The container of the pooler, where there is one. */
export const poolerOwner = "pgbouncer";

/** The files in the folder of one member. */
export const keyFiles = {
  identity: `${keysFolder}/identity.jwk.json`,
  jwks: `${keysFolder}/services.jwks.json`,
  databaseUrl: `${keysFolder}/database-url`,
  authSecret: `${keysFolder}/auth-key-secret`,
  pushKeys: `${keysFolder}/push-vapid-keys.json`,
  webhookSecret: `${keysFolder}/webhook-key-secret`,
  opsToken: `${keysFolder}/ops-token`,
  grafanaPassword: `${keysFolder}/password`,
} as const;

/** How the databases are spread over servers. */
export interface Servers {
  /** The name of the container that has a database, and of the volume with its passwords. */
  of(database: string): string;
  /** The network in which that container is. */
  network(server: string): string;
  /** The one whose statistics are looked at. */
  monitored?: string;
}

export const oneServer: Servers = { of: () => "postgres", network: () => "data", monitored: "postgres" };
/** Each in a network that only the processes reach which have a database there. */
export const serverPerDatabase: Servers = {
  of: (database) => `postgres-${database}`,
  network: (server) => server.replace("postgres", "data"),
};
/** The role that may read a server's statistics, and nothing else. */
export const monitor = "monitor";
/** What a server keeps for those that follow it: the file with their password. */
export const replication = "replication";
/** The owner of that password among the servers that follow. */
export const replicaKeys = "postgres-replica";
