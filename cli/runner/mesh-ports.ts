import { type PartName, type ProcessName, processes } from "../topology.ts";
import { partPorts } from "./part-specs.ts";
import { PortBook } from "./ports.ts";
import type { Settings } from "./settings.ts";

/** The ports of a mesh by `<instance>.<port name>`: the same ones as last time wherever they are still free. */
export class MeshPorts {
  readonly #book: PortBook;
  readonly #previous: Readonly<Record<string, number>>;
  readonly #mail: number;
  readonly taken: Record<string, number> = {};

  constructor(settings: Settings, previous: Readonly<Record<string, number>>) {
    this.#book = new PortBook(Object.values(settings.publicPorts));
    this.#previous = previous;
    this.#mail = settings.publicPorts.mail;
  }

  ofPart(name: PartName, instance: string = name): Promise<Record<string, number>> {
    return this.#takeAll(instance, partPorts[name]);
  }

  async ofInstance(name: ProcessName, instance: string): Promise<Record<string, number>> {
    const wanted = Object.keys(processes[name].ports);
    if (name !== "mail") return this.#takeAll(instance, wanted);
    const ports = await this.#takeAll(instance, ["smtp"]);
    return { ...ports, web: this.#mail };
  }

  /** Where the front of one of an instance's ports listens, when the mesh was started for faults. */
  async ofFront(instance: string, port: string): Promise<number> {
    const name = `${port} front`;
    return (await this.#takeAll(instance, [name]))[name] as number;
  }

  async #takeAll(instance: string, names: readonly string[]): Promise<Record<string, number>> {
    const ports: Record<string, number> = {};
    for (const name of names) {
      const key = `${instance}.${name}`;
      this.taken[key] ??= await this.#book.take(this.#previous[key]);
      ports[name] = this.taken[key] as number;
    }
    return ports;
  }
}
