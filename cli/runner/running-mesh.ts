import type { ProcessName } from "../topology.ts";
import type { Edge } from "./edge.ts";
import type { Home } from "./home.ts";
import type { Instance } from "./instance.ts";
import type { Plan } from "./mesh-plan.ts";
import type { Releases } from "./release/releases.ts";
import type { Version } from "./release/version.ts";
import type { Settings } from "./settings.ts";
import type { MeshStatus } from "./status.ts";
import type { Supervisor } from "./supervisor.ts";

/** What the operator's actions have of a running mesh. */
export interface RunningMesh {
  readonly home: Home;
  readonly settings: Settings;
  readonly plan: Plan;
  readonly supervisor: Supervisor;
  readonly edge: Edge;
  /** Aborts when the mesh begins to stop. */
  readonly signal: AbortSignal;
  status(): Promise<MeshStatus>;
  stop(): Promise<void>;
  /** Releases of new versions: one at a time. */
  readonly releases: Releases;
  /**
   * Describes one more instance of a process, which the supervisor then knows; it is not started yet. Of the version that
   * was released last, unless given.
   */
  addInstance(name: ProcessName, version?: Version): Promise<Instance>;
  /** Describes the Envoy that will take over from the present one. */
  addEnvoy(): Promise<Instance>;
  /** Resolves once Envoy sends traffic to every instance that is ready. */
  settle(): Promise<void>;
  /**
   * Runs changes of what runs one after another; throws one line while the mesh is starting or stopping. One with a title
   * takes long: until it is over, others are refused in its name.
   */
  inTurn<T>(change: () => Promise<T>, title?: string): Promise<T>;
  /** A line for the operator. */
  say(line: string): void;
}
