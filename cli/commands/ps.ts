import { askMesh } from "../runner/control.ts";
import { findHome } from "../runner/home.ts";
import type { MeshStatus } from "../runner/status.ts";
import { mebibytes, printJson, span, table } from "./output.ts";

/** `mesh ps`: what runs, since when, with how much memory. */
export async function ps({ json }: { json?: boolean }): Promise<void> {
  const status = await askMesh<MeshStatus>(findHome(), { command: "ps" });
  if (json) {
    printJson(status);
    return;
  }
  const rows = status.instances.map((instance) => [
    instance.name,
    instance.status,
    String(instance.pid ?? "-"),
    instance.pid === undefined ? "-" : span(Date.now() - Date.parse(instance.startedAt ?? "")),
    String(instance.restarts),
    mebibytes(instance.memoryShare),
    Object.entries(instance.ports)
      .map(([name, port]) => `${name}:${port}`)
      .join(" "),
  ]);
  const { processes, parts } = status.memory;
  const lines = [
    table(["NAME", "STATUS", "PID", "UP", "RESTARTS", "MEMORY", "PORTS"], rows),
    "",
    `profile ${status.profile} · ${mebibytes(processes)} for our own processes, ${mebibytes(parts)} for the parts · ${status.tracing}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
