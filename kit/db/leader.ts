import type { Lifecycle } from "#kit/lifecycle.ts";
import { WakeUp } from "#kit/wake-up.ts";
import { logger } from "#observability/logger.ts";
import type { Database } from "./database.ts";
import { DedicatedConnection } from "./dedicated.ts";
import { endHolderStatement, type LeaderLock, tryLead } from "./leader-lock.ts";

const log = logger("leader");

/** The time in which a process leads. */
export interface Term {
  /** The session that holds the lock. Each query on it is a sign of life: make one every few seconds. */
  readonly connection: DedicatedConnection;
  /** Whether the process stops, or another may lead by now. */
  readonly over: boolean;
  /** Waits for so many milliseconds, less when the term ends. */
  pause(ms: number): Promise<void>;
}

export interface LeaderOptions {
  database: Database;
  /** Of the job; among those that share a database, one process at a time leads in it. */
  name: string;
  lifecycle: Lifecycle;
  /** Does the job until the term is over. When it throws, the term ends and somebody begins another. */
  lead(term: Term): Promise<void>;
  onChange?: (leads: boolean) => void;
  /** How often the others look whether the leader is gone, in milliseconds. */
  standbyMs?: number;
  /** After how long without a sign of life the leader is replaced, in milliseconds. */
  frozenMs?: number;
}

export interface Leader {
  /** Whether it is this process. */
  readonly leads: boolean;
  stop(): Promise<void>;
}

// "lead" as a number.
const lockSpace = 0x6c656164;
const retryMs = 2_000;

const endFrozen = endHolderStatement("leader-end-frozen", "holder.state_change < now() - $3::float8 * interval '1 ms'");

/**
 * Stands for a job that one of several processes does: the one whose session holds an advisory lock of PostgreSQL.
 * When its process or its session ends, or stops to give signs of life, another takes over.
 *
 * A process whose session was lost learns it late, so that for a moment two may believe that they lead: what must not
 * happen twice has to be claimed in the transaction that does it.
 */
export function startLeader(options: LeaderOptions): Leader {
  const candidate = new Candidate(options);
  options.lifecycle.use(`leader ${options.name}`, candidate, () => candidate.stop());
  candidate.start();
  return candidate;
}

class Candidate implements Leader {
  readonly #options: LeaderOptions;
  readonly #lock: LeaderLock;
  readonly #wake = new WakeUp();
  #running: Promise<void> = Promise.resolve();
  #stopping = false;
  #leads = false;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#lock = { space: lockSpace, name: options.name };
  }

  get leads(): boolean {
    return this.#leads;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake.notify();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { name } = this.#options;
    while (!this.#stopping) {
      try {
        await this.#connected();
      } catch (error) {
        if (!this.#stopping) log.warn({ error, "taskmesh.work": name }, "the term has ended; there will be another");
      }
      await this.#pause(retryMs, () => this.#stopping);
    }
  }

  async #connected(): Promise<void> {
    const { database, name, standbyMs = 1_000, frozenMs = 10_000 } = this.#options;
    const { space } = this.#lock;
    const connection = await DedicatedConnection.open({
      url: database.directUrl,
      applicationName: `${database.applicationName} ${name}`,
    });
    connection.lost.addEventListener("abort", () => this.#wake.notify());
    const over = () => this.#stopping || connection.lost.aborted;
    try {
      while (!over()) {
        if (await tryLead(connection, this.#lock)) return await this.#lead(connection, over);
        const ended = await connection.query(endFrozen, [space, name, frozenMs]);
        if (ended.length > 0) log.warn({ "taskmesh.work": name }, "ended a frozen leader");
        await this.#pause(standbyMs, over);
      }
    } finally {
      await connection.close();
    }
  }

  async #lead(connection: DedicatedConnection, over: () => boolean): Promise<void> {
    const { lead, onChange } = this.#options;
    this.#leads = true;
    onChange?.(true);
    try {
      await lead({
        connection,
        get over() {
          return over();
        },
        pause: (ms) => this.#pause(ms, over),
      });
    } finally {
      this.#leads = false;
      onChange?.(false);
    }
  }

  /** Waits out the whole time unless it has become pointless. */
  async #pause(ms: number, isOver: () => boolean): Promise<void> {
    const end = performance.now() + ms;
    for (let left = ms; left > 0 && !isOver(); left = end - performance.now()) await this.#wake.wait(left);
  }
}
