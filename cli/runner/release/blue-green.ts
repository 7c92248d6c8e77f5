import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessName } from "../../topology.ts";
import { messageOf } from "../../user-error.ts";
import type { Instance } from "../instance.ts";
import { isRouted, mustNotHaveEnded, namesOf, type Release, retire, startBeside } from "./release.ts";

const standby = { standby: true };

/**
 * As many new instances as there are old ones, first without traffic; then all of it in one step, while the old ones
 * stand by for a moment, so that it can be taken back as fast.
 */
export async function blueGreen(release: Release, holdMs = 10_000): Promise<void> {
  const { mesh, version, signal, say } = release;
  const name = release.services[0] as ProcessName;
  const old = [...mesh.supervisor.instancesOf(name)];
  let fresh: Instance[] = [];
  try {
    fresh = await startBeside(release, name, { count: old.length, version, traffic: standby });
    signal.throwIfAborted();
    say(`${namesOf(fresh)} ${fresh.length > 1 ? "are" : "is"} ready beside ${namesOf(old)}`);
    await mesh.edge.direct(new Map(old.map((instance) => [instance.name, standby])));
    say(`all traffic goes to ${namesOf(fresh)}; for ${holdMs / 1000} s it can be taken back`);
    if (isRouted(name)) await hold(fresh, holdMs, signal);
  } catch (error) {
    if (mesh.signal.aborted) throw error;
    say(`${messageOf(error)}; the traffic stays with ${namesOf(old)}`);
    await mesh.edge.direct(new Map(fresh.map((instance) => [instance.name, standby])));
    await retire(release, name, fresh);
    await mesh.edge.direct(new Map());
    throw error;
  }
  await retire(release, name, old);
  await mesh.edge.direct(new Map());
  release.versions.set(name, version);
  say(`${namesOf(old)} ${old.length > 1 ? "have" : "has"} gone`);
}

/** Watches the new instances while the old ones stand by. */
async function hold(fresh: readonly Instance[], holdMs: number, signal: AbortSignal): Promise<void> {
  const end = Date.now() + holdMs;
  while (Date.now() < end) {
    mustNotHaveEnded(fresh);
    await sleep(Math.min(200, Math.max(1, end - Date.now())), undefined, { signal }).catch(() => {});
    signal.throwIfAborted();
  }
}
