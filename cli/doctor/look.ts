import type { Sample } from "../metrics/parse.ts";
import { scrape } from "../metrics/scrape.ts";
import type { Settings } from "../runner/settings.ts";
import type { InstanceState } from "../runner/state.ts";
import type { MeshStatus } from "../runner/status.ts";

/** A running mesh at one moment. */
export interface Look {
  instances: readonly InstanceState[];
  /** What each of our processes says of itself, by its name; nothing where it does not answer. */
  members: ReadonlyMap<string, readonly Sample[]>;
  /** What was measured at the parts. */
  parts: readonly Sample[];
}

/** Reads the metrics of everything that runs. */
export async function lookAt({ instances }: MeshStatus, { publicPorts }: Settings): Promise<Look> {
  const own = instances.filter(({ ports }) => ports.admin !== undefined);
  const pages = own.map(({ ports }) => `http://127.0.0.1:${ports.admin}/metrics`);
  const [parts, ...members] = await scrape([`http://127.0.0.1:${publicPorts.ops}/metrics`, ...pages], {
    timeoutMs: 5000,
  });
  return {
    instances,
    members: new Map(own.map(({ name }, index) => [name, members[index]?.samples ?? []])),
    parts: parts?.samples ?? [],
  };
}
