import { UserError } from "../../user-error.ts";
import { canHandOver, handOverMs } from "../parts/envoy.ts";
import type { Release } from "./release.ts";

/**
 * A new Envoy takes over the open ports of the present one, which tells its clients to connect anew and ends a few
 * seconds later: nobody finds the door closed.
 */
export async function replaceEnvoy({ mesh, signal, say }: Release): Promise<void> {
  signal.throwIfAborted();
  const [old] = mesh.supervisor.instancesOf("envoy");
  if (old === undefined) throw new UserError("Envoy is not run by this mesh: restart it where it runs");
  if (!(await canHandOver())) throw new UserError("Envoy can hand over on Linux only: leave it out");
  const fresh = await mesh.addEnvoy();
  try {
    await fresh.start();
  } catch (error) {
    // The next one takes over from the same Envoy.
    mesh.plan.parts.envoyEpoch--;
    await fresh.stop();
    mesh.supervisor.remove("envoy", fresh);
    throw error;
  }
  say("a new Envoy has taken over the ports; the old one lets its connections end");
  await old.letEnd(handOverMs);
  mesh.supervisor.remove("envoy", old);
  say("the old Envoy has ended");
}
