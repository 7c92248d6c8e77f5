import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { GroupFault, GroupFaults } from "#kit/events/faults.ts";
import { UserError } from "../../user-error.ts";
import type { Fault } from "./fault.ts";
import type { Heal } from "./process-faults.ts";

/** The file by which running consumers are told to fail: written anew with each change, and read again by them. */
export class ConsumerFaults {
  readonly #file: string;
  readonly #held = new Map<symbol, { group: string; fault: GroupFault }>();

  constructor(file: string) {
    this.#file = file;
    this.#write();
  }

  async begin({ target, failShare = 0, delayMs = 0 }: Extract<Fault, { kind: "consumer" }>): Promise<Heal> {
    // Only now: the groups bring all of their handlers with them.
    const { groupNames } = await import("../../../consumers/groups.ts");
    if (!(groupNames as readonly string[]).includes(target)) {
      throw new UserError(`There is no consumer group "${target}": take one of ${groupNames.join(", ")}`);
    }
    const mine = Symbol(target);
    this.#held.set(mine, { group: target, fault: { failShare, delayMs } });
    this.#write();
    return () => {
      this.#held.delete(mine);
      this.#write();
    };
  }

  #write(): void {
    const faults: GroupFaults = Object.fromEntries([...this.#held.values()].map(({ group, fault }) => [group, fault]));
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    writeFileSync(`${this.#file}.draft`, JSON.stringify(faults), { mode: 0o600 });
    renameSync(`${this.#file}.draft`, this.#file);
  }
}
