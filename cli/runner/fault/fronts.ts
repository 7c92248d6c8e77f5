import type { MeshPorts } from "../mesh-ports.ts";
import { Front } from "./front.ts";

type Ports = Readonly<Record<string, number>>;

/** The fronts of one mesh by instance and port name: only there when it was started for faults. */
export class Fronts {
  readonly #ports: MeshPorts;
  readonly #fronts = new Map<string, Map<string, Front>>();

  constructor(ports: MeshPorts) {
    this.#ports = ports;
  }

  /** Puts a front before each of the named ports of an instance; answers with all its ports as others are to reach them. */
  async open(instance: string, ports: Ports, names: readonly string[]): Promise<Record<string, number>> {
    const fronts = this.#fronts.get(instance) ?? new Map<string, Front>();
    this.#fronts.set(instance, fronts);
    // An instance of the same name as before has the same ports.
    for (const name of names.filter((name) => !fronts.has(name))) {
      const port = await this.#ports.ofFront(instance, name);
      fronts.set(name, await Front.open(port, ports[name] as number));
    }
    return { ...ports, ...this.#reached(instance) };
  }

  of(instance: string): Front[] {
    return [...(this.#fronts.get(instance)?.values() ?? [])];
  }

  async close(): Promise<void> {
    const fronts = [...this.#fronts.values()].flatMap((byName) => [...byName.values()]);
    await Promise.all(fronts.map((front) => front.close()));
  }

  #reached(instance: string): Record<string, number> {
    return Object.fromEntries([...(this.#fronts.get(instance) ?? [])].map(([name, { port }]) => [name, port]));
  }
}
