import { autoscale } from "./autoscale/action.ts";
import type { ControlRequest } from "./control.ts";
import { fault } from "./fault/action.ts";
import { release } from "./release/releases.ts";
import type { RunningMesh } from "./running-mesh.ts";
import { scale } from "./scaling.ts";

type Request<C extends ControlRequest["command"]> = Extract<ControlRequest, { command: C }>;
type Action<R extends ControlRequest> = (
  mesh: RunningMesh,
  request: R,
  progress: (line: string) => void,
) => Promise<unknown>;

/** What a running mesh does when it is asked over its control socket. */
const actions: { readonly [C in ControlRequest["command"]]: Action<Request<C>> } = {
  ps: (mesh) => mesh.status(),
  down: (mesh) => mesh.stop(),
  scale,
  autoscale,
  fault,
  release,
};

export function answer(mesh: RunningMesh, request: ControlRequest, progress: (line: string) => void): Promise<unknown> {
  const action = actions[request.command] as Action<ControlRequest>;
  return action(mesh, request, progress);
}
