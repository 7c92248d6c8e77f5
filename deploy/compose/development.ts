import { nodeArguments, processes } from "../../cli/topology.ts";
import { serverNames } from "./parts.ts";
import { members, oneServer, ports } from "./places.ts";

/** What is mounted of the checkout. Packages and generated code are the image's own: `--build` makes them anew. */
const sources = ["consumers", "gateway", "kit", "observability", "services"];

/**
 * Laid over docker-compose.yml for development: the sources are mounted, a process starts anew when a file changes, and
 * everything can be reached from the machine. Ports of members are given out by Docker, so that `--scale` still works.
 */
export function development() {
  return {
    services: {
      ...Object.fromEntries(members.map((name) => [name, watched(name)])),
      ...Object.fromEntries(
        serverNames(oneServer).map((name) => [name, { ports: ["127.0.0.1:${POSTGRES_PORT:-5432}:5432"] }]),
      ),
      redis: { ports: ["127.0.0.1:${REDIS_PORT:-6379}:6379"] },
    },
    networks: { data: { internal: false } },
  };
}

function watched(name: (typeof members)[number]) {
  return {
    command: ["node", "--watch", ...nodeArguments(processes[name])],
    environment: { NODE_ENV: "development", LOG_LEVEL: "${LOG_LEVEL:-debug}" },
    volumes: sources.map((folder) => `./${folder}:/app/${folder}:ro`),
    ports: [`127.0.0.1::${ports.admin}`],
  };
}
