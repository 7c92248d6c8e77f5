import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { until } from "./command.ts";
import { checkout, type Docker, project } from "./docker.ts";

const loopback = ["--listen-addr", "127.0.0.1:2377", "--advertise-addr", "127.0.0.1"];
const ofStack = `label=com.docker.stack.namespace=${project}`;

/** Makes the daemon a swarm of one node, which may hold the volumes, and deploys the files as a stack. */
export async function enterSwarm(docker: Docker, files: readonly string[], folder: string): Promise<void> {
  await docker.run(["swarm", "init", ...loopback]);
  const node = await docker.run(["info", "--format", "{{.Swarm.NodeID}}"]);
  await docker.run(["node", "update", "--label-add", "taskmesh=true", node]);
  const small = join(folder, "small-node.yml");
  await writeFile(small, await reservingLittle(files));
  const flags = [...files, small].flatMap((file) => ["--compose-file", file]);
  await docker.run(["stack", "deploy", "--resolve-image", "never", ...flags, project], { cwd: checkout });
}

/** Removes the stack with its volumes, and ends the swarm; nothing to do where there is none. */
export async function leaveSwarm(docker: Docker): Promise<void> {
  if ((await docker.run(["info", "--format", "{{.Swarm.LocalNodeState}}"])) !== "active") return;
  await docker.run(["stack", "rm", project]);
  const left = () => docker.run(["ps", "--all", "--quiet", "--filter", ofStack]);
  await until("the stack's containers are gone", async () => (await left()) === "", 120_000);
  await docker.run(["swarm", "leave", "--force"]);
  const volumes = (await docker.run(["volume", "ls", "--quiet", "--filter", ofStack])).split("\n");
  const names = volumes.filter((name) => name !== "");
  if (names.length > 0) await docker.run(["volume", "rm", ...names]);
}

/** Laid over the files: what they reserve is more CPU than this machine may have, and Swarm starts nothing then. */
async function reservingLittle(files: readonly string[]): Promise<string> {
  const texts = await Promise.all(files.map((file) => readFile(join(checkout, file), "utf8")));
  const names = texts.flatMap((text) => Object.keys(parse(text, { version: "1.1" }).services));
  const reservations = { cpus: "0.02", memory: "32M" };
  const services = Object.fromEntries(names.map((name) => [name, { deploy: { resources: { reservations } } }]));
  return stringify({ version: "3.9", services }, { aliasDuplicateObjects: false, version: "1.1" });
}
