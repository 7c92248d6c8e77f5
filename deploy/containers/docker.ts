import { fileURLToPath } from "node:url";
import { type CommandOptions, run } from "./command.ts";
import { dockerProgram } from "./machine.ts";

/** Where the compose files are, and what they mount. */
export const checkout = fileURLToPath(new URL("../../", import.meta.url));

/** The name that its containers, networks and volumes begin with. */
export const project = "taskmesh-check";

/** One project of docker-compose, or one stack of Docker Swarm, on one daemon. */
export class Docker {
  readonly #environment: Record<string, string>;
  readonly #files: readonly string[];
  readonly #serviceLabel: (service: string) => string;

  /** `environment`: the variables that the compose files read. */
  constructor(
    address: string,
    environment: Record<string, string>,
    { files = [], swarm = false }: { files?: readonly string[]; swarm?: boolean } = {},
  ) {
    this.#files = files;
    this.#serviceLabel = swarm
      ? (service) => `com.docker.swarm.service.name=${project}_${service}`
      : (service) => `com.docker.compose.service=${service}`;
    this.#environment = {
      ...environment,
      DOCKER_HOST: address,
      COMPOSE_PROJECT_NAME: project,
      COMPOSE_HTTP_TIMEOUT: "300",
    };
  }

  run(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return run(dockerProgram, args, { ...options, env: { ...options.env, ...this.#environment } });
  }

  compose(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return run("docker-compose", [...this.#files.flatMap((file) => ["--file", file]), ...args], {
      cwd: checkout,
      ...options,
      env: { ...options.env, ...this.#environment },
    });
  }

  /** The containers of a service that run, by id. */
  async containers(service: string): Promise<string[]> {
    const ids = await this.run(["ps", "--quiet", "--no-trunc", "--filter", `label=${this.#serviceLabel(service)}`]);
    return ids.split("\n").filter((id) => id !== "");
  }

  async container(service: string): Promise<string> {
    const [id] = await this.containers(service);
    if (id === undefined) throw new Error(`there is no container of ${service}`);
    return id;
  }

  async inspect(id: string): Promise<Inspection> {
    const [found] = JSON.parse(await this.run(["inspect", id])) as Inspection[];
    if (found === undefined) throw new Error(`there is no container ${id}`);
    return found;
  }

  /** What a line of bash prints inside a container. */
  bash(id: string, line: string): Promise<string> {
    return this.run(["exec", id, "bash", "-c", line]);
  }

  isHealthy(id: string): Promise<boolean> {
    return this.inspect(id).then(({ State }) => State.Running && State.Health?.Status === "healthy");
  }
}

/** What of `docker inspect` is looked at. */
export interface Inspection {
  Id: string;
  Name: string;
  RestartCount: number;
  State: { Running: boolean; Pid: number; StartedAt: string; Health?: { Status: string } };
  Config: { User: string; Labels: Record<string, string> };
  HostConfig: {
    Memory: number;
    MemoryReservation: number;
    NanoCpus: number;
    ReadonlyRootfs: boolean;
    CapDrop: string[] | null;
    SecurityOpt: string[] | null;
    RestartPolicy: { Name: string };
  };
  Mounts: { Type: string; Name?: string; Destination: string; RW: boolean }[];
  NetworkSettings: {
    Ports: Record<string, { HostIp: string; HostPort: string }[] | null>;
    Networks: Record<string, { IPAddress: string }>;
  };
}
