import type { ProcessName } from "../../topology.ts";
import { messageOf } from "../../user-error.ts";
import type { Instance } from "../instance.ts";
import { isProcess } from "./releasable.ts";
import { formerVersion, type Release, retire, startBeside } from "./release.ts";
import { replaceEnvoy } from "./replace-envoy.ts";

/** What has been put in the place of another so far. */
interface Replaced {
  name: ProcessName;
  instances: Instance[];
}

/**
 * One instance after the other: a new one beside it, then the old one goes; never one less than before, and never more
 * than one too many. When one does not come up, those that were replaced become the former version again.
 */
export async function rolling(release: Release): Promise<void> {
  const replaced: Replaced[] = [];
  try {
    for (const name of release.services) {
      if (!isProcess(name)) {
        await replaceEnvoy(release);
        continue;
      }
      const done: Replaced = { name, instances: [] };
      replaced.push(done);
      for (const old of [...release.mesh.supervisor.instancesOf(name)]) {
        release.signal.throwIfAborted();
        done.instances.push(await replace(release, name, old));
      }
    }
  } catch (error) {
    if (!release.mesh.signal.aborted) await putBack(release, replaced, messageOf(error));
    throw error;
  }
  for (const { name } of replaced) release.versions.set(name, release.version);
}

async function replace(release: Release, name: ProcessName, old: Instance): Promise<Instance> {
  const [fresh] = await startBeside(release, name, { version: release.version });
  await retire(release, name, [old]);
  release.say(`${(fresh as Instance).name} has taken the place of ${old.name}`);
  return fresh as Instance;
}

async function putBack(release: Release, replaced: readonly Replaced[], fault: string): Promise<void> {
  const instances = replaced.flatMap((done) => done.instances);
  release.say(`${fault}; ${instances.length === 0 ? "nothing was replaced yet" : "the former version comes back"}`);
  for (const done of replaced) {
    const version = formerVersion(release, done.name);
    for (const instance of done.instances) await replace({ ...release, version }, done.name, instance);
  }
}
