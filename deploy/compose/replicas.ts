import { processes } from "../../cli/topology.ts";
import { after, check, confined, partResources, supervised } from "./confinement.ts";
import { images } from "./images.ts";
import { keysFolder, members, replicaKeys } from "./places.ts";

export const replicaServers = ["postgres-replica-1", "postgres-replica-2"] as const;
/** As many connections as the primary takes, or it does not start. A read holds back what is replayed for 5 s at most. */
const settings = ["max_connections=400", "hot_standby_feedback=on", "max_standby_streaming_delay=5s"];

/** Laid over docker-compose.yml: two servers that follow PostgreSQL as it writes, and answer reads of the services. */
export function readReplicas() {
  const readers = members.filter((name) => processes[name].database?.readVariable !== undefined);
  return {
    services: {
      setup: { volumes: [`keys-${replicaKeys}:${keysFolder}/${replicaKeys}`] },
      ...Object.fromEntries(replicaServers.map((name) => [name, replica(name)])),
      ...Object.fromEntries(readers.map((name) => [name, { environment: { DATABASE_READ_HOST: readBy(name) } }])),
    },
    volumes: Object.fromEntries([...replicaServers, `keys-${replicaKeys}`].map((name) => [name, {}])),
  };
}

/** As it is natively: the first answers reads of auth, the second those of all others. */
const readBy = (member: string): string => replicaServers[member === "auth" ? 0 : 1];

function replica(name: string) {
  return {
    image: images.postgres,
    user: "postgres",
    environment: { REPLICA: name },
    entrypoint: ["bash", "/replica.sh"],
    command: ["postgres", ...settings.flatMap((one) => ["-c", one])],
    stop_signal: "SIGINT",
    stop_grace_period: "30s",
    volumes: [
      `${name}:/var/lib/postgresql`,
      `keys-${replicaKeys}:${keysFolder}:ro`,
      "./deploy/compose/replica.sh:/replica.sh:ro",
    ],
    ...after(["setup", "postgres"]),
    healthcheck: check("pg_isready", "-h", "127.0.0.1", "-U", "postgres"),
    networks: ["data"],
    ...confined(["/tmp", "/run/postgresql"]),
    ...supervised(partResources.postgres),
  };
}
