import { stringify } from "yaml";
import { processes, processNames, profiles } from "../cli/topology.ts";
import { after, check, confined, partResources, supervised } from "./compose/confinement.ts";
import { development } from "./compose/development.ts";
import { tlsFiles } from "./compose/envoy.ts";
import { images, ourImage } from "./compose/images.ts";
import { member, rateLimits, replicasVariable } from "./compose/members.ts";
import { observability, observabilityVolumes, observers } from "./compose/observability.ts";
import { parts, partVolumes, publishedTlsEdge, serverNames } from "./compose/parts.ts";
import { keysFolder, members, oneServer, poolerOwner, type Servers, serverPerDatabase } from "./compose/places.ts";
import { readReplicas } from "./compose/replicas.ts";
import { swarmStack } from "./compose/swarm.ts";
import { pgbouncerConfig, pgbouncerFile } from "./pgbouncer.ts";

const heading = "# Made from cli/topology.ts by `npm run compose`; a test compares them.\n";

/** The files of the containers' set-up, made from the topology: path from the root of the repository to text. */
export function composeFiles(): Record<string, string> {
  return {
    "docker-compose.yml": yaml(composition(oneServer)),
    "docker-compose.isolated.yml": yaml(composition(serverPerDatabase)),
    "docker-compose.replicas.yml": yaml(readReplicas()),
    "docker-compose.dev.yml": yaml(development()),
    "docker-compose.tls.yml": yaml(tlsOverlay()),
    "docker-compose.pooler.yml": yaml(poolerOverlay()),
    [pgbouncerFile]: pgbouncerConfig(poolerPlaces),
    "docker-compose.swarm.yml": yaml(swarmStack(composition(oneServer))),
    ...Object.fromEntries(profiles.map((profile) => [`deploy/compose/${profile}.env`, replicas(profile)])),
  };
}

function yaml(content: object): string {
  return heading + stringify(content, { aliasDuplicateObjects: false, lineWidth: 0, version: "1.1" });
}

export type Composition = ReturnType<typeof composition>;

function composition(servers: Servers) {
  const secrets = keyVolumes(servers);
  return {
    services: {
      setup: setup(secrets, servers),
      ...parts(servers),
      ...Object.fromEntries(processNames.map((name) => [name, member(name, servers)])),
      ...observability(servers),
    },
    networks: { edge: {}, app: {}, ...Object.fromEntries(dataNetworks(servers)) },
    volumes: Object.fromEntries(
      [
        ...partVolumes(servers),
        "mail",
        ...observabilityVolumes,
        "keys",
        ...secrets.map((owner) => `keys-${owner}`),
      ].map((name) => [name, {}]),
    ),
  };
}

/** Who has secrets of his own: the members, the operator's pages, and the servers of databases. */
function keyVolumes(servers: Servers): string[] {
  return [...members, ...observers, ...serverNames(servers)];
}

/** Where the data is, and no way out. */
function dataNetworks(servers: Servers) {
  const names = ["data", ...serverNames(servers).map((server) => servers.network(server))];
  return [...new Set(names)].map((name) => [name, { internal: true }] as const);
}

/** Runs once before all others. It alone sees every secret, and nothing can reach it. */
function setup(owners: readonly string[], servers: Servers) {
  return {
    ...ourImage,
    command: ["node", "deploy/setup.ts"],
    environment: {
      ...rateLimits,
      OVERLOAD_SHED: "${OVERLOAD_SHED:-true}",
      OVERLOAD_MIN_CALLS: "${OVERLOAD_MIN_CALLS:-32}",
      DATABASE_SERVERS: servers === oneServer ? "one" : "each",
    },
    volumes: [
      `keys:${keysFolder}/mesh`,
      ...owners.map((owner) => `keys-${owner}:${keysFolder}/${owner}`),
      "envoy:/envoy",
    ],
    network_mode: "none",
    ...confined(["/tmp"]),
    ...supervised(partResources.setup),
  };
}

/** Laid over docker-compose.yml, it opens the edge by TLS with the certificate that the environment names. */
function tlsOverlay() {
  const required = (variable: string) => `\${${variable}:?the path of a PEM file}`;
  const volumes = [
    `${required("EDGE_TLS_CERT_FILE")}:${tlsFiles.certFile}:ro`,
    `${required("EDGE_TLS_KEY_FILE")}:${tlsFiles.keyFile}:ro`,
  ];
  return {
    services: {
      setup: { environment: { EDGE_TLS: "true" } },
      envoy: { ports: [publishedTlsEdge], volumes },
    },
  };
}

const poolerPlaces = {
  listen: { host: "0.0.0.0", port: 5432 },
  server: { host: "postgres", port: 5432 },
  userlist: `${keysFolder}/userlist.txt`,
};

/** Laid over docker-compose.yml, it puts PgBouncer between the members and PostgreSQL. */
function poolerOverlay() {
  const pooled = members.filter((name) => processes[name].database !== undefined);
  const volume = `keys-${poolerOwner}`;
  return {
    services: {
      setup: { volumes: [`${volume}:${keysFolder}/${poolerOwner}`] },
      [poolerOwner]: {
        image: images.pgbouncer,
        entrypoint: ["pgbouncer"],
        command: ["/etc/pgbouncer/pgbouncer.ini"],
        user: "nobody",
        volumes: [`./${pgbouncerFile}:/etc/pgbouncer/pgbouncer.ini:ro`, `${volume}:${keysFolder}:ro`],
        healthcheck: check("nc", "-z", "127.0.0.1", String(poolerPlaces.listen.port)),
        ...after(["setup", "postgres"]),
        networks: ["data"],
        ...confined(),
        ...supervised(partResources.small),
      },
      ...Object.fromEntries(
        pooled.map((name) => [name, { environment: { DATABASE_POOLER_HOST: poolerOwner }, ...after([poolerOwner]) }]),
      ),
    },
    volumes: { [volume]: {} },
  };
}

function replicas(profile: (typeof profiles)[number]): string {
  const lines = processNames
    .filter((name) => processes[name].member)
    .map((name) => `${replicasVariable(name)}=${processes[name].replicas[profile]}\n`);
  return heading + lines.join("");
}
