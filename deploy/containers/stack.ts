import { PortBook } from "../../cli/runner/ports.ts";
import { processes, processNames, publicPorts } from "../../cli/topology.ts";
import { until } from "./command.ts";
import { startDaemon } from "./daemon.ts";
import { Docker } from "./docker.ts";
import { preparePrograms } from "./machine.ts";
import { buildStandIns } from "./stand-ins.ts";

export type Say = (line: string) => void;

/** The compose file, running. */
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

/**
 * Brings everything up, does the work, and takes everything down, whatever happens; the images stay in the cache. A
 * rejection of `interrupted` ends the work.
 */
export async function withStack(
  say: Say,
  interrupted: Promise<never>,
  work: (stack: Stack) => Promise<void>,
): Promise<void> {
  await preparePrograms(say);
  const environment = await freeAddresses();
  const daemon = await startDaemon();
  const docker = new Docker(daemon.address, environment);
  const port = (variable: string) => `http://127.0.0.1:${environment[variable]}`;
  const bringUp = async () => {
    say("dockerd is up");
    await buildStandIns(docker, daemon.folder, say);
    say("building our image");
    await docker.compose(["build", ...proxyArguments(), "setup"]);
    say("docker-compose up");
    await docker.compose(["down", "--volumes", "--remove-orphans"]);
    await docker.compose(["up", "--detach"]);
    await allHealthy(docker);
    await work({ docker, edge: port("EDGE_PORT"), mail: port("MAIL_UI_PORT"), environment });
  };
  try {
    await Promise.race([bringUp(), interrupted]);
  } finally {
    say("taking everything down");
    await docker
      .compose(["down", "--volumes", "--remove-orphans", "--timeout", "10"])
      .catch((error) => say(`${error}`));
    await daemon.stop();
  }
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
  for (const { variable } of [publicPorts.edge, publicPorts.jaeger, publicPorts.mail, publicPorts.ops]) {
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
