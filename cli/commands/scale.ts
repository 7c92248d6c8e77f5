import { askMesh } from "../runner/control.ts";
import { findHome } from "../runner/home.ts";
import type { MeshStatus } from "../runner/status.ts";
import { unitOf } from "../runner/status.ts";
import { UserError } from "../user-error.ts";
import { printJson, progressLine } from "./output.ts";

/** `mesh scale SVC=N`: more or fewer instances while everything runs; the proxy follows without a restart. */
export async function scale(targets: readonly string[], { json }: { json?: boolean }): Promise<void> {
  const home = findHome();
  const wishes = targets.map(parse);
  for (const { service, count } of wishes) await askMesh(home, { command: "scale", service, count }, progressLine);
  const { instances } = await askMesh<MeshStatus>(home, { command: "ps" });
  const names = new Set<string>(wishes.map(({ service }) => service));
  const now = instances.filter(({ name }) => names.has(unitOf(name)));
  if (json) printJson(now);
  else process.stdout.write(`${now.map(({ name, status }) => `${name} ${status}`).join("\n")}\n`);
}

function parse(target: string): { service: string; count: number } {
  const [, service = "", count = ""] = /^([a-z]+)=(\d{1,4})$/.exec(target) ?? [];
  if (service === "") throw new UserError(`"${target}" is not understood: write it as consumers=3`);
  return { service, count: Number(count) };
}
