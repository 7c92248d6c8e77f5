import type { Person } from "./people.ts";

/** What somebody hears of in the inbox, of the kinds that this load brings about. */
export type NoticeType = "TASK_ASSIGNED" | "TASK_SHARED" | "TASK_UPDATED" | "TASK_COMPLETED" | "COMMENT_ADDED";

/** How many times something must have come about: `sure` times, and up to `unsure` more by writes without an answer. */
export interface Count {
  sure: number;
  unsure: number;
}

/** A task as its owner knows it from the answers. */
export interface KnownTask {
  readonly taskId: string;
  readonly owner: Person;
  title: string;
  /** Highest that was acknowledged. */
  revision: number;
  isDone: boolean;
  /** Everybody but the owner who hears of it. */
  readonly members: Set<string>;
  readonly comments: Set<string>;
  /** A write is under way; another one would leave the order open. */
  isBusy: boolean;
  /** A write had no answer: nothing more is written, for nobody knows how it stands. */
  isUnsure: boolean;
  /** By recipient and type. */
  readonly notices: Map<string, Count>;
}

const mostWritable = 20;

/** Everything that was acknowledged, and everything that must come of it. */
export class Ledger {
  readonly tasks: KnownTask[] = [];
  readonly #writable = new Map<Person, KnownTask[]>();

  add(task: KnownTask): void {
    this.tasks.push(task);
    const list = this.#writable.get(task.owner) ?? [];
    list.push(task);
    if (list.length > mostWritable) list.shift();
    this.#writable.set(task.owner, list);
  }

  /** A task of a person that may be changed now; any of the last ones. */
  writable(person: Person, draw: () => number): KnownTask | undefined {
    const free = this.#open(person).filter(({ isBusy, isUnsure, isDone }) => !isBusy && !isUnsure && !isDone);
    return free[Math.floor(draw() * free.length)];
  }

  readable(person: Person, draw: () => number): KnownTask | undefined {
    const list = this.#open(person);
    return list[Math.floor(draw() * list.length)];
  }

  /** Those who must hear of a write; with `unsure`, those who may. */
  expect(task: KnownTask, type: NoticeType, recipients: Iterable<string>, kind: keyof Count = "sure"): void {
    for (const recipient of recipients) {
      const key = `${recipient} ${type}`;
      const count = task.notices.get(key) ?? { sure: 0, unsure: 0 };
      count[kind]++;
      task.notices.set(key, count);
    }
  }

  #open(person: Person): readonly KnownTask[] {
    return this.#writable.get(person) ?? [];
  }
}
