import assert from "node:assert/strict";
import { images } from "../../compose/images.ts";
import { type Docker, project } from "../docker.ts";
import { type Stack, services } from "../stack.ts";

const outside = "registry.npmjs.org:443";

/** A stranger on the edge reaches the edge and nothing behind it; the data network has no way out. */
export async function networks({ docker }: Stack): Promise<string[]> {
  const addresses = await addressesOf(docker);
  const at = (service: string, network: string, port: number) => `${addresses[service]?.[network]}:${port}`;
  const database = at("postgres", "data", 5432);
  const task = at("task", "app", 50051);
  const rows: Record<string, Target[]> = {
    edge: [
      { title: "the edge", address: at("envoy", "edge", 8080), open: true },
      { title: "PostgreSQL", address: database, open: false },
      { title: "Redis", address: at("redis", "data", 6379), open: false },
      { title: "Kafka", address: at("kafka", "data", 9092), open: false },
      { title: "the task service", address: task, open: false },
    ],
    app: [
      { title: "the task service", address: task, open: true },
      { title: "PostgreSQL", address: database, open: false },
    ],
    data: [
      { title: "PostgreSQL", address: database, open: true },
      { title: "the world outside", address: outside, open: false },
    ],
  };
  const lines: string[] = [];
  for (const [network, targets] of Object.entries(rows)) {
    const reached = await reachedFrom(docker, network, targets);
    for (const { title, address, open } of targets) {
      const found = reached.includes(address);
      assert.equal(found, open, `from the network ${network}, ${title} is ${found ? "" : "not "}reached`);
      lines.push(`${network} → ${title}: ${found ? "reached" : "out of reach"}`);
    }
  }
  for (const service of services) {
    const own = Object.keys(addresses[service] ?? {})
      .sort()
      .join(" + ");
    lines.push(`${service} is on ${own}`);
  }
  return lines;
}

interface Target {
  title: string;
  address: string;
  open: boolean;
}

/** The addresses that a new container on that network alone can connect to. */
async function reachedFrom(docker: Docker, network: string, targets: readonly Target[]): Promise<string[]> {
  const attempts = targets.map(({ address }) => {
    const [host, port] = address.split(":");
    return `timeout 5 bash -c 'exec 3<>/dev/tcp/${host}/${port}' && echo ${address}`;
  });
  const flags = ["--rm", "--network", `${project}_${network}`, "--entrypoint", "bash"];
  const output = await docker.run(["run", ...flags, images.redis, "-c", `${attempts.join("; ")}; true`]);
  return output.split("\n");
}

async function addressesOf(docker: Docker): Promise<Record<string, Record<string, string>>> {
  const found: Record<string, Record<string, string>> = {};
  for (const service of services) {
    const { NetworkSettings } = await docker.inspect(await docker.container(service));
    found[service] = Object.fromEntries(
      Object.entries(NetworkSettings.Networks).map(([name, { IPAddress }]) => [
        name.slice(project.length + 1),
        IPAddress,
      ]),
    );
  }
  return found;
}
