import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessName } from "../../topology.ts";
import { messageOf, UserError } from "../../user-error.ts";
import type { Traffic } from "../edge.ts";
import type { Instance } from "../instance.ts";
import { type Budget, budgetOf, judge } from "./budget.ts";
import { Observation } from "./observation.ts";
import { formerVersion, isRouted, mustNotHaveEnded, namesOf, type Release, retire, startBeside } from "./release.ts";

const watchMs = 1000;

/** A canary under way: who is there of the old and the new, and what was asked for. */
interface Canary extends Release {
  name: ProcessName;
  budget: Budget;
  /** How many instances there were, and will be. */
  size: number;
  old: Instance[];
  fresh: Instance[];
}

/**
 * The new version gets a small share of the calls first, then more, step by step, as long as it keeps to the budget; else
 * all goes back to the old one. Consumers share by number, as their partitions do.
 */
export async function canary(
  release: Release,
  steps: readonly number[] = [5, 25, 50, 100],
  wished?: Partial<Budget>,
): Promise<void> {
  const name = release.services[0] as ProcessName;
  const old = [...release.mesh.supervisor.instancesOf(name)];
  const state: Canary = { ...release, name, budget: budgetOf(wished), size: old.length, old, fresh: [] };
  try {
    for (const share of steps) {
      await widen(state, share);
      const why = await watch(state);
      release.say(`at ${share} %: ${why}`);
    }
  } catch (error) {
    if (!release.mesh.signal.aborted) await takeBack(state, messageOf(error));
    throw error;
  }
  await retire(release, name, state.old);
  await release.mesh.edge.direct(new Map());
  release.versions.set(name, release.version);
  release.say(`${namesOf(state.fresh)} ${state.fresh.length > 1 ? "have" : "has"} taken over`);
}

/** Brings the new version to a share of the work, in percent. */
async function widen(state: Canary, share: number): Promise<void> {
  const { mesh, name, version, size, signal, say } = state;
  signal.throwIfAborted();
  const wanted = Math.max(1, Math.ceil((size * share) / 100));
  if (wanted > state.fresh.length) {
    const count = wanted - state.fresh.length;
    state.fresh.push(...(await startBeside(state, name, { count, version, traffic: { standby: true } })));
    signal.throwIfAborted();
  }
  if (!isRouted(name)) {
    const staying = share === 100 ? 0 : Math.max(1, size - state.fresh.length + 1);
    await retire(state, name, state.old.splice(staying));
  }
  await mesh.edge.direct(sharesOf(state, share));
  say(
    `${namesOf(state.fresh)} ${isRouted(name) ? `gets ${share} % of the calls` : `works beside ${state.old.length} old`}`,
  );
}

/** What each instance gets, so that the new ones have a share in percent together, and the old ones the rest. */
export function sharesOf(
  { old, fresh }: { old: readonly Pick<Instance, "name">[]; fresh: readonly Pick<Instance, "name">[] },
  share: number,
): Map<string, Traffic> {
  const weigh = (instances: readonly Pick<Instance, "name">[], part: number) =>
    instances.map(({ name }): [string, Traffic] => [name, part > 0 ? { weight: part } : { standby: true }]);
  return new Map([...weigh(fresh, share * old.length || 1), ...weigh(old, (100 - share) * fresh.length)]);
}

/** Resolves with the reason to go on; throws with the one to go back. */
async function watch({ mesh, name, old, fresh, budget, signal, say }: Canary): Promise<string> {
  const { envoyAdmin } = mesh.settings.publicPorts;
  const begin = performance.now();
  const [theirs, ours] = [
    await Observation.begin(name, old, envoyAdmin),
    await Observation.begin(name, fresh, envoyAdmin),
  ];
  let waiting = "";
  for (;;) {
    await sleep(Math.min(watchMs, budget.stepMs), undefined, { signal }).catch(() => {});
    signal.throwIfAborted();
    mustNotHaveEnded(fresh);
    const elapsed = performance.now() - begin;
    const { decision, why } = judge(await ours.sinceBegin(), await theirs.sinceBegin(), elapsed, budget);
    if (decision === "promote") return why;
    if (decision === "roll back") throw new UserError(why);
    if (elapsed >= budget.stepMs && waiting === "") {
      waiting = why;
      say(`${why}: waiting for more`);
    }
  }
}

/** All calls to the old instances at once; then the new ones go. */
async function takeBack(state: Canary, fault: string): Promise<void> {
  const { mesh, name, old, fresh, size, say } = state;
  say(`${fault}; going back`);
  const missing = size - old.length;
  if (missing > 0)
    old.push(...(await startBeside(state, name, { count: missing, version: formerVersion(state, name) })));
  await mesh.edge.direct(new Map(fresh.map((instance) => [instance.name, { standby: true }])));
  await retire(state, name, fresh);
  await mesh.edge.direct(new Map());
  say(`all goes to ${namesOf(old)} again`);
}
