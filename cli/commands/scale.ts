import { askMesh } from "../runner/control.ts";
import { findHome } from "../runner/home.ts";
import { checkTargets, type ScaleTarget } from "../runner/scaling.ts";
import type { MeshStatus } from "../runner/status.ts";
import { unitOf } from "../runner/status.ts";
import { UserError } from "../user-error.ts";
import { printJson, progressLine } from "./output.ts";

/** `mesh scale SVC=N …`: more or fewer instances while everything runs; the proxy follows without a restart. */
export async function scale(words: readonly string[], { json }: { json?: boolean }): Promise<void> {
  const home = findHome();
  const targets = words.map(parse);
  const names = new Set<string>(checkTargets(targets).keys());
  await askMesh(home, { command: "scale", targets }, progressLine);
  const { instances } = await askMesh<MeshStatus>(home, { command: "ps" });
  const now = instances.filter(({ name }) => names.has(unitOf(name)));
  if (json) printJson(now);
  else process.stdout.write(`${now.map(({ name, status }) => `${name} ${status}`).join("\n")}\n`);
}

function parse(word: string, index: number, words: readonly string[]): ScaleTarget {
  const [, service = "", count = ""] = /^([a-z]+)=(\d{1,4})$/.exec(word) ?? [];
  if (service === "") throw new UserError(`"${word}" is not understood: write it as consumers=3`);
  const before = words.slice(0, index).find((other) => other.startsWith(`${service}=`));
  if (before !== undefined) throw new UserError(`${before} and ${word} contradict each other: leave one of them`);
  return { service, count: Number(count) };
}
