import assert from "node:assert/strict";
import { memberNames, type Stack, services } from "../stack.ts";

const mebibyte = 1024 * 1024;
/** Writes into its own image when it starts. */
const writable = ["kafka"];

/** Nobody is root, nothing can be gained, images cannot be changed, and the limits are those of the compose file. */
export async function confinement({ docker }: Stack): Promise<string[]> {
  const lines: string[] = [];
  for (const service of services) {
    const id = await docker.container(service);
    const { HostConfig } = await docker.inspect(id);
    const { Memory, NanoCpus, ReadonlyRootfs, CapDrop, SecurityOpt, RestartPolicy } = HostConfig;
    // One call: each takes as long as the start of a process.
    const status = await docker.bash(
      id,
      `echo "$(< /proc/1/status)"; (echo x > /usr/x) 2> /dev/null && echo wrote; true`,
    );
    const uid = /^Uid:\s+(\d+)/m.exec(status)?.[1];
    const capabilities = /^CapEff:\s+(\w+)/m.exec(status)?.[1];
    assert.notEqual(uid, "0", `${service} runs as root`);
    assert.match(capabilities ?? "", /^0+$/, `${service} has capabilities`);
    assert.deepEqual(CapDrop, ["ALL"]);
    assert.ok(SecurityOpt?.includes("no-new-privileges:true"), `${service} may gain privileges`);
    assert.equal(ReadonlyRootfs, !writable.includes(service), `${service}'s root file system`);
    assert.ok(Memory > 0 && NanoCpus > 0, `${service} has no limit`);
    if (memberNames.some((name) => name === service)) assert.deepEqual([Memory / mebibyte, NanoCpus / 1e9], [512, 1]);
    assert.doesNotMatch(status, /^wrote$/m, `${service} can write into its image`);
    lines.push(
      `${service}: uid ${uid}, ${Memory / mebibyte} MiB, ${NanoCpus / 1e9} CPU, ${ReadonlyRootfs ? "read-only" : "writable"}, restart ${RestartPolicy.Name}`,
    );
  }
  return lines;
}
