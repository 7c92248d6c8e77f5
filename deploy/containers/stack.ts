import { PortBook } from "../../cli/runner/ports.ts";
import { processes, processNames, publicPorts } from "../../cli/topology.ts";
import { until } from "./command.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { Docker } from "./docker.ts";
import { preparePrograms } from "./machine.ts";
import { buildStandIns } from "./stand-ins.ts";
import { enterSwarm, leaveSwarm } from "./swarm.ts";
import type { Variant } from "./variants.ts";

export type Say = (line: string) => void;

/** One set-up of the containers, running. */
export interface Stack {
  docker: Docker;
  edge: string;
  mail: string;
  /** The variables by which programs of this checkout find it. */
  environment: Record<string, string>;
}

/** Containers that stay up, by the names of the compose file. */
export const services = ["postgres", "redis", "kafka", "jaeger", "envoy", ...processNames] as const;
export const memberNames = processNames.filter((name) => processes[name].member);

/** Runs the work with a dockerd that has all images, and stops it whatever happens; the images stay in the cache. */
export async function withMachine(say: Say, work: (daemon: Daemon) => Promise<void>): Promise<void> {
  await preparePrograms(say);
  const daemon = await startDaemon();
  try {
    say("dockerd is up");
    const docker = new Docker(daemon.address, {});
    await buildStandIns(docker, daemon.folder, say);
    say("building our image");
    await docker.compose(["build", ...proxyArguments(), "setup"]);
    await work(daemon);
  } finally {
    await daemon.stop();
  }
}

/**
 * Brings one set-up up, does the work, and takes everything of it down, its volumes too. A rejection of `interrupted`
 * ends the work.
 */
export async function withStack(
  { address, folder }: Daemon,
  variant: Variant,
  { say, work, interrupted }: { say: Say; work: (stack: Stack) => Promise<void>; interrupted: Promise<never> },
): Promise<void> {
  const environment = { ...(await freeAddresses()), ...(await variant.prepare?.(folder)) };
  const docker = new Docker(address, environment, variant);
  const port = (variable: string) => `http://127.0.0.1:${environment[variable]}`;
  const down = variant.swarm ? leaveSwarm : composeDown;
  const bringUp = async () => {
    await down(docker);
    say(`${variant.swarm ? "docker stack deploy" : "docker-compose up"}: ${variant.files.join(" with ")}`);
    if (variant.swarm) await enterSwarm(docker, variant.files, folder);
    else await docker.compose([...(variant.arguments ?? []), "up", "--detach", ...(variant.only ?? [])]);
    await allHealthy(docker, variant.services);
    say("every container is healthy");
    await work({ docker, edge: port("EDGE_PORT"), mail: port("MAIL_UI_PORT"), environment });
  };
  try {
    await Promise.race([bringUp(), interrupted]);
  } finally {
    say("taking everything down");
    await down(docker).catch((error) => say(`${error}`));
  }
}

async function composeDown(docker: Docker): Promise<void> {
  await docker.compose(["down", "--volumes", "--remove-orphans", "--timeout", "10"]);
}

/** Waits until every container of every service is healthy. */
export async function allHealthy(docker: Docker, names: readonly string[] = services): Promise<void> {
  await until(
    "all containers are healthy",
    async () => {
      for (const name of names) {
        const ids = await docker.containers(name);
        if (ids.length === 0) return false;
        for (const id of ids) if (!(await docker.isHealthy(id))) return false;
      }
      return true;
    },
    600_000,
  );
}

async function freeAddresses(): Promise<Record<string, string>> {
  const book = new PortBook();
  const addresses: Record<string, string> = {};
  const ports = Object.values(publicPorts).map(({ variable }) => variable);
  for (const variable of [...ports, "GRAFANA_PORT", "POSTGRES_PORT", "REDIS_PORT"]) {
    addresses[variable] = String(await book.take());
  }
  // All calls come from one address.
  return { ...addresses, RATE_LIMIT_SCALE: "1000", PUBLIC_URL: `http://127.0.0.1:${addresses.EDGE_PORT}` };
}

/** A build reaches the registry of packages as this machine does. */
function proxyArguments(): string[] {
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];
  return names.filter((name) => process.env[name]).flatMap((name) => ["--build-arg", `${name}=${process.env[name]}`]);
}
