import { publicPorts } from "../../cli/topology.ts";
import { pageAnswers } from "./confinement.ts";
import { members, ports } from "./places.ts";

type Service = Record<string, unknown>;

/** On the nodes where an Envoy runs. */
const edge = {
  target: publicPorts.edge.port,
  published: `\${EDGE_PORT:-${publicPorts.edge.port}}`,
  protocol: "tcp",
  mode: "host",
};

/** What `docker stack deploy` refuses or passes over: it has neither a start order nor a build, and another word for tmpfs. */
const composeOnly = ["build", "tmpfs", "depends_on", "restart", "network_mode", "security_opt", "ports"];

/**
 * The same containers for Docker Swarm. Without a start order a process may be up before its parts: it waits for them,
 * ends, and is started again. Networks span the nodes. Volumes belong to a node, and so everything that shares one runs
 * on the nodes with the label `taskmesh`. A stack publishes on every address, whatever the file says: it opens the edge
 * only, and what a profile would add is left out. Envoy deals calls out by instance, and limits are by the caller's
 * address: so no address of Swarm's own stands before the instances of a service (dnsrr) or before the edge (mode host).
 */
export function swarmStack({
  services,
  volumes,
  networks,
}: {
  services: Record<string, Service>;
  volumes: object;
  networks: Record<string, object>;
}) {
  return {
    version: "3.9",
    services: Object.fromEntries(
      Object.entries(services)
        .filter(([, { profiles }]) => profiles === undefined)
        .map(([name, service]) => [name, stacked(name, service)]),
    ),
    networks: Object.fromEntries(
      Object.entries(networks).map(([name, network]) => [name, { driver: "overlay", ...network }]),
    ),
    volumes,
  };
}

function stacked(name: string, service: Service): Service {
  const kept = Object.fromEntries(Object.entries(service).filter(([key]) => !composeOnly.includes(key)));
  return {
    ...kept,
    ...mounts(service),
    // Swarm replaces a container that is not healthy; one whose database is away would not be better for it.
    ...(members.some((member) => member === name) ? { healthcheck: pageAnswers(ports.admin, "/live") } : {}),
    ...(name === "envoy" ? { ports: [edge] } : {}),
    deploy: {
      ...(service.deploy as object),
      endpoint_mode: "dnsrr",
      placement: { constraints: ["node.labels.taskmesh == true"] },
    },
  };
}

/** Folders in memory are volumes of a kind of their own. */
function mounts({ volumes = [], tmpfs = [] }: { volumes?: string[]; tmpfs?: string[] }) {
  const all = [...volumes, ...tmpfs.map((target) => ({ type: "tmpfs", target }))];
  return all.length > 0 ? { volumes: all } : {};
}
