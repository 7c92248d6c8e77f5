import { databases } from "../../cli/topology.ts";
import { UserError } from "../../cli/user-error.ts";
import { replicaServers } from "../compose/replicas.ts";
import { dashboards } from "./checks/dashboards.ts";
import { demo } from "./checks/demo.ts";
import { development } from "./checks/development.ts";
import { type Check, checks } from "./checks/index.ts";
import { isolation } from "./checks/isolation.ts";
import { replicas } from "./checks/replicas.ts";
import { stackConverges } from "./checks/stack-converges.ts";
import { makeCertificate, tls } from "./checks/tls.ts";
import { services } from "./stack.ts";

/** A way to bring the containers up, and what must hold of it. */
export interface Variant {
  /** Compose files, one laid over the other. */
  files: readonly string[];
  /** Deployed as a stack of Docker Swarm. */
  swarm?: boolean;
  /** For docker-compose, before `up`. */
  arguments?: readonly string[];
  /** Brings up these and what they need; all unless given. */
  only?: readonly string[];
  /** What must be healthy before the checks. */
  services: readonly string[];
  /** Makes what it needs in the folder, and answers with variables that tell of it. */
  prepare?: (folder: string) => Promise<Record<string, string>>;
  checks: readonly Check[];
}

const standard = "docker-compose.yml";
const theDemo: Check = { title: "The demo, through the published edge", check: demo };
const withoutPostgres = services.filter((name) => name !== "postgres");
const watched = [...services, "ops", "prometheus"];

export const variants: Readonly<Record<string, Variant>> = {
  main: { files: [standard], services, checks },
  isolated: {
    files: ["docker-compose.isolated.yml"],
    services: [...databases.map((name) => `postgres-${name}`), ...withoutPostgres],
    checks: [{ title: "A server for each database", check: isolation }, theDemo],
  },
  replicas: {
    files: [standard, "docker-compose.replicas.yml"],
    services: [...services, ...replicaServers],
    checks: [{ title: "Two servers that follow", check: replicas }],
  },
  tls: {
    files: [standard, "docker-compose.tls.yml"],
    services,
    prepare: makeCertificate,
    checks: [{ title: "The edge with TLS", check: tls }],
  },
  dev: {
    files: [standard, "docker-compose.dev.yml"],
    services,
    checks: [{ title: "The checkout is watched", check: development }],
  },
  // Not Grafana: no registry of packages has it, so that nothing can stand in for its image.
  observability: {
    files: [standard],
    arguments: ["--profile", "observability"],
    only: watched,
    services: watched,
    checks: [theDemo, { title: "Prometheus", check: dashboards }],
  },
  swarm: {
    files: ["docker-compose.swarm.yml"],
    swarm: true,
    services,
    checks: [{ title: "The stack", check: stackConverges }],
  },
};

/** Which set-ups to run: the main one unless some are named, or all. */
export function namesOf(given: readonly string[]): readonly string[] {
  const known = Object.keys(variants);
  const unknown = given.filter((name) => name !== "all" && !known.includes(name));
  if (unknown.length > 0)
    throw new UserError(`There is no set-up ${unknown.join(", ")}: use ${known.join(", ")} or all`);
  if (given.length === 0) return ["main"];
  return given.includes("all") ? known : given;
}
