import { databases, publicPorts } from "../../cli/topology.ts";
import {
  after,
  check,
  confined,
  pageAnswers,
  partResources,
  portAnswers,
  powerless,
  supervised,
} from "./confinement.ts";
import { images } from "./images.ts";
import { edgeTlsPort, keysFolder, type Servers } from "./places.ts";

/** A published port: on loopback, unless EDGE_BIND or EDGE_TLS_BIND opens the edge to others. */
export function published(variable: string, port: number, inside = port, bind = "127.0.0.1"): string {
  return `${bind}:\${${variable}:-${port}}:${inside}`;
}

const bindOf = (variable: string) => `\${${variable}:-127.0.0.1}`;

/** Everything that is not ours. */
export function parts(servers: Servers) {
  return {
    ...postgresServers(servers),
    redis: {
      image: images.redis,
      user: "redis",
      // What it holds can be made anew or is worth little, but a restart should not sign anybody in again.
      command: [
        "redis-server",
        ...flags({ save: "", appendonly: "yes", maxmemory: "256mb", "maxmemory-policy": "volatile-lru" }),
        // It has no password: only the network of the data reaches it.
        ...flags({ "protected-mode": "no" }),
      ],
      volumes: ["redis:/data"],
      healthcheck: check("redis-cli", "ping"),
      networks: ["data"],
      ...confined(),
      ...supervised(partResources.redis),
    },
    kafka: {
      image: images.kafka,
      environment: kafkaEnvironment,
      volumes: ["kafka:/var/lib/kafka/data"],
      healthcheck: portAnswers(9092),
      networks: ["data"],
      stop_grace_period: "30s",
      // Its start writes the configuration into the image's own folders.
      ...powerless,
      ...supervised(partResources.kafka),
    },
    jaeger: {
      image: images.jaeger,
      environment: { GOMEMLIMIT: "400MiB" },
      ports: [published(publicPorts.jaeger.variable, publicPorts.jaeger.port)],
      healthcheck: check("wget", "-q", "-O", "/dev/null", "http://127.0.0.1:13133/status"),
      networks: ["app"],
      ...confined(["/tmp"]),
      ...supervised(partResources.jaeger),
    },
    envoy: {
      image: images.envoy,
      user: "101:101",
      command: [
        "envoy",
        "-c",
        "/envoy/envoy.yaml",
        ...["--concurrency", "2"],
        "--disable-hot-restart",
        ...["--log-level", "warning"],
        ...["--drain-time-s", "5"],
      ],
      volumes: ["envoy:/envoy:ro"],
      ...after(["setup"]),
      ports: [published(publicPorts.edge.variable, publicPorts.edge.port, publicPorts.edge.port, bindOf("EDGE_BIND"))],
      healthcheck: pageAnswers(publicPorts.envoyAdmin.port, "/ready"),
      networks: ["edge", "app"],
      ...confined(["/tmp"]),
      ...supervised(partResources.envoy),
    },
  };
}

/** What the edge publishes besides, when it has a certificate; it can be open to others while the plain one is not. */
export const publishedTlsEdge = published(
  publicPorts.edgeTls.variable,
  edgeTlsPort,
  edgeTlsPort,
  bindOf("EDGE_TLS_BIND"),
);

/** The volumes that outlive the containers. */
export function partVolumes(servers: Servers): string[] {
  return [...serverNames(servers), "redis", "kafka", "envoy"];
}

/** The servers' names, and which databases each of them has. */
export function serverNames(servers: Servers): string[] {
  return [...new Set(databases.map((database) => servers.of(database)))];
}

function postgresServers(servers: Servers) {
  return Object.fromEntries(
    serverNames(servers).map((server) => {
      const own = databases.filter((database) => servers.of(database) === server);
      return [server, postgres(server, own, servers)];
    }),
  );
}

function postgres(server: string, own: readonly string[], servers: Servers) {
  return {
    image: images.postgres,
    user: "postgres",
    environment: { POSTGRES_PASSWORD_FILE: `${keysFolder}/superuser`, DATABASES: own.join(" ") },
    command: [
      "postgres",
      ...["max_connections=400", "track_io_timing=on", "track_wal_io_timing=on", "max_slot_wal_keep_size=2GB"].flatMap(
        (one) => ["-c", one],
      ),
    ],
    stop_signal: "SIGINT",
    stop_grace_period: "30s",
    volumes: [
      `${server}:/var/lib/postgresql`,
      `keys-${server}:${keysFolder}:ro`,
      "./deploy/compose/databases.sh:/docker-entrypoint-initdb.d/databases.sh:ro",
    ],
    ...after(["setup"]),
    // Over TCP: while the databases are being made the server listens on its socket only.
    healthcheck: check("pg_isready", "-h", "127.0.0.1", "-U", "postgres"),
    networks: [servers.network(server)],
    ...confined(["/tmp", "/run/postgresql"]),
    ...supervised(partResources.postgres),
  };
}

const kafkaEnvironment = {
  KAFKA_NODE_ID: 1,
  KAFKA_PROCESS_ROLES: "broker,controller",
  KAFKA_LISTENERS: "PLAINTEXT://:9092,CONTROLLER://localhost:9093",
  KAFKA_ADVERTISED_LISTENERS: "PLAINTEXT://kafka:9092",
  KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
  KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
  KAFKA_CONTROLLER_QUORUM_VOTERS: "1@localhost:9093",
  KAFKA_LOG_DIRS: "/var/lib/kafka/data",
  KAFKA_NUM_PARTITIONS: 12,
  KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: 1,
  KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: 4,
  KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: 1,
  KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: 1,
  KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS: 4,
  KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: 0,
  KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
  KAFKA_HEAP_OPTS: "-Xms128m -Xmx512m",
};

function flags(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}
