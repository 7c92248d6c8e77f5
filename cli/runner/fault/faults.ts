import { join } from "node:path";
import { messageOf, UserError } from "../../user-error.ts";
import type { RunningMesh } from "../running-mesh.ts";
import { ConsumerFaults } from "./consumer-faults.ts";
import { describeFault } from "./describe.ts";
import { type ActiveFault, type Fault, type FaultList, longestMs, usualMs } from "./fault.ts";
import type { Fronts } from "./fronts.ts";
import { poison } from "./network-faults.ts";
import { type Heal, kill, pause } from "./process-faults.ts";
import { faultRpc } from "./rpc-faults.ts";
import { targetsOf } from "./targets.ts";

interface Held {
  fault: Fault;
  since: Date;
  endsAt: number;
  timer: NodeJS.Timeout;
  heal: Heal;
}

/** The faults in one running mesh. Each ends by itself after its time, and all of them when the mesh stops. */
export class Faults {
  readonly #mesh: RunningMesh;
  readonly #held = new Map<number, Held>();
  readonly #consumers: ConsumerFaults | undefined;
  #lastId = 0;

  constructor(mesh: RunningMesh) {
    this.#mesh = mesh;
    this.#consumers = mesh.plan.fronts && new ConsumerFaults(faultsFile(mesh.home.folder));
    mesh.signal.addEventListener("abort", () => void this.healAll(), { once: true });
  }

  get list(): FaultList {
    const active = [...this.#held].map(([id, { fault, since, endsAt }]): ActiveFault => {
      const endsInMs = Math.max(0, endsAt - Date.now());
      return { id, fault, text: describeFault(fault), since: since.toISOString(), endsInMs };
    });
    return { enabled: this.#mesh.plan.fronts !== undefined, active };
  }

  /** Brings a fault; it ends after `forMs`, or is over at once when it only kills. Throws one line when it cannot be done. */
  async begin(fault: Fault, forMs?: number): Promise<ActiveFault> {
    if (this.#mesh.signal.aborted) throw new UserError("Taskmesh is stopping: nothing more is broken");
    if (forMs !== undefined && !(forMs > 0 && forMs <= longestMs)) {
      throw new UserError(`A fault lasts more than 0 and at most ${longestMs / 60_000} minutes`);
    }
    const heal = await this.#start(fault, forMs !== undefined);
    const lasts = fault.kind === "kill" ? (forMs ?? 0) : (forMs ?? usualMs);
    const id = ++this.#lastId;
    const timer = setTimeout(() => void this.heal(id), lasts);
    this.#held.set(id, { fault, since: new Date(), endsAt: Date.now() + lasts, timer, heal });
    this.#mesh.say(`fault ${id}: ${describeFault(fault)}${lasts > 0 ? `, for ${lasts / 1000} s` : ""}`);
    if (this.#mesh.signal.aborted) await this.heal(id);
    return { id, fault, text: describeFault(fault), since: new Date().toISOString(), endsInMs: lasts };
  }

  /** Ends one fault. Throws one line when there is none of that number. */
  async heal(id: number): Promise<void> {
    const held = this.#held.get(id);
    if (held === undefined) throw new UserError(`There is no fault ${id}: see \`npx mesh fault list\``);
    this.#held.delete(id);
    clearTimeout(held.timer);
    try {
      await held.heal();
      if (held.endsAt - held.since.getTime() > 0) this.#mesh.say(`fault ${id} is over: ${describeFault(held.fault)}`);
    } catch (error) {
      this.#mesh.say(`fault ${id} could not be ended: ${messageOf(error)}`);
    }
  }

  /** Ends all of them; what was stopped goes on before this waits for anything. */
  async healAll(): Promise<number> {
    const ids = [...this.#held.keys()];
    await Promise.all(ids.map((id) => this.heal(id)));
    return ids.length;
  }

  async #start(fault: Fault, hasTime: boolean): Promise<Heal> {
    const { supervisor, settings } = this.#mesh;
    switch (fault.kind) {
      case "kill":
        return kill(targetsOf(supervisor, fault.target), hasTime);
      case "pause":
        return pause(targetsOf(supervisor, fault.target));
      case "slow":
        return poison(this.#fronts(), targetsOf(supervisor, fault.target), fault.toxics);
      case "cut":
        return poison(this.#fronts(), targetsOf(supervisor, fault.target), { cut: fault.how });
      case "rpc":
        this.#fronts();
        return faultRpc(settings.publicPorts.envoyAdmin, fault, this.#mesh.signal);
      case "consumer":
        this.#fronts();
        return (this.#consumers as ConsumerFaults).begin(fault);
    }
  }

  #fronts(): Fronts {
    const { fronts } = this.#mesh.plan;
    if (fronts !== undefined) return fronts;
    throw new UserError(
      "This needs a mesh that was started for it: `npx mesh up --faults`. Only kill and pause do not",
    );
  }
}

/** Where the runner tells the consumers to fail. */
export function faultsFile(homeFolder: string): string {
  return join(homeFolder, "faults", "consumers.json");
}
