import { readFile } from "node:fs/promises";
import { UserError } from "../../cli/user-error.ts";
import { isThere, run } from "./command.ts";

/** Debian's own client: another one on PATH may be too new for Debian's daemon. */
export const dockerProgram = "/usr/bin/docker";

/** The programs that are needed, each with the package that has it. */
const packages: Readonly<Record<string, string>> = {
  dockerd: "docker.io",
  [dockerProgram]: "docker.io",
  "docker-compose": "docker-compose",
  debootstrap: "debootstrap",
  iptables: "iptables",
  cc: "gcc",
};

/** Installs what is missing of Debian's packages. They start no service: a daemon of our own is run instead. */
export async function preparePrograms(say: (line: string) => void): Promise<void> {
  if (process.getuid?.() !== 0) throw new UserError("Containers need root: run it as root, on Debian");
  const system = await readFile("/etc/os-release", "utf8").catch(() => "");
  if (!/^ID=debian$/m.test(system)) throw new UserError("This builds on Debian's packages: run it on Debian");
  const missing: string[] = [];
  for (const [program, name] of Object.entries(packages)) {
    const found = await isThere(program, ["--version"]);
    if (!found && !missing.includes(name)) missing.push(name);
  }
  if (missing.length === 0) return;
  say(`installing ${missing.join(", ")} by apt-get`);
  const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  await run("apt-get", ["update", "-qq"], { env });
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { env });
}
