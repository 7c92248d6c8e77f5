import { UserError } from "../../user-error.ts";
import type { Instance } from "../instance.ts";
import type { Front } from "./front.ts";
import type { Fronts } from "./fronts.ts";
import type { Heal } from "./process-faults.ts";
import type { Toxics } from "./toxics.ts";

/** What stands on each front now, by the fault that brought it: the newest that is left holds. */
const layers = new WeakMap<Front, Map<symbol, Toxics>>();

/** Does something to all connections of these instances. */
export async function poison(fronts: Fronts, instances: readonly Instance[], toxics: Toxics): Promise<Heal> {
  const concerned = instances.flatMap(({ name }) => fronts.of(name));
  if (concerned.length === 0) {
    const names = instances.map(({ name }) => name).join(", ");
    throw new UserError(`Nobody connects to ${names}: pause or kill it, or cut a part that it needs`);
  }
  const mine = Symbol("fault");
  await Promise.all(concerned.map((front) => settle(front, (held) => held.set(mine, toxics))));
  return async () => {
    await Promise.all(concerned.map((front) => settle(front, (held) => held.delete(mine))));
  };
}

function settle(front: Front, change: (held: Map<symbol, Toxics>) => void): Promise<void> {
  const held = layers.get(front) ?? new Map<symbol, Toxics>();
  layers.set(front, held);
  change(held);
  return front.poison([...held.values()].at(-1) ?? {});
}
