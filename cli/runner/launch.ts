import { messageOf, UserError } from "../user-error.ts";
import { findHome, makeHome } from "./home.ts";
import { tryLock } from "./lock-file.ts";
import { Mesh } from "./mesh.ts";
import { stopOrphans } from "./orphans.ts";
import { acquireParts } from "./part-specs.ts";
import { checkPublicPorts, ownParts, type Settings } from "./settings.ts";
import { readState } from "./state.ts";

/** A mesh that is allowed to start here, and how to let the next one in. */
export interface Launch {
  mesh: Mesh;
  release(): Promise<void>;
}

export function runsAlready(): UserError {
  return new UserError("Taskmesh is already running here: see `npx mesh ps`, or stop it with `npx mesh down`");
}

/**
 * Makes ready for a start: one mesh to a home, nothing left over from a killed one, ports free, parts there.
 * Throws one line for each thing that is in the way.
 */
export async function prepareLaunch(settings: Settings, say: (line: string) => void): Promise<Launch> {
  const home = findHome();
  makeHome(home);
  const release = await tryLock(home.lockFile);
  if (release === undefined) {
    throw runsAlready();
  }
  try {
    const orphans = await stopOrphans(readState(home.stateFile));
    if (orphans.length > 0) say(`Stopped what a killed start had left behind: ${orphans.join(", ")}`);
    await checkPublicPorts(settings);
    const whole = { ...settings, prometheus: settings.prometheus && (await canHavePrometheus(settings, say)) };
    const needed = ownParts(whole).filter((name) => name !== "jaeger");
    const programs = await acquireParts(needed, say);
    return { mesh: new Mesh({ home, settings: whole, programs, say }), release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** A profile that comes with Prometheus goes without one where there is none to be had; who asks for it is told. */
async function canHavePrometheus(
  { prometheus }: Settings,
  say: (line: string) => void,
): Promise<Settings["prometheus"]> {
  if (prometheus === "wished") return prometheus;
  const failed = await acquireParts(["prometheus"], say).then(
    () => undefined,
    (error) => messageOf(error),
  );
  if (failed !== undefined) say(`Without Prometheus: ${failed}`);
  return failed === undefined;
}
