import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { ensureDatabases, ensureOwners, ownUrl } from "../../../cli/runner/db/databases.ts";
import * as postgres from "../../../cli/runner/parts/postgres.ts";
import * as replica from "../../../cli/runner/parts/postgres-replica.ts";
import { pickPorts } from "../../../cli/runner/ports.ts";
import type { RunningPart } from "../../../cli/runner/process-spec.ts";
import { processTree, signalAll } from "../../../cli/runner/process-tree.ts";
import { until } from "../../_util/until.ts";

/** A PostgreSQL of its own with one replica, run as the mesh runs them. */
export class ReplicaStage {
  readonly #folder: string;
  readonly #options: replica.ReplicaOptions;
  readonly primary: RunningPart;
  #replica: RunningPart | undefined;

  private constructor(folder: string, primary: RunningPart, options: replica.ReplicaOptions) {
    this.#folder = folder;
    this.primary = primary;
    this.#options = options;
  }

  static async start(): Promise<ReplicaStage> {
    const folder = await mkdtemp(join(tmpdir(), "taskmesh-replica-"));
    // PostgreSQL may have to run as another account, which must get to its data.
    await chmod(folder, 0o711);
    const [port, replicaPort] = (await pickPorts(2)) as [number, number];
    const files = (name: string) => ({ dataDir: join(folder, name), logFile: join(folder, `${name}.log`) });
    const own = { ...files("postgres"), port, passwordFile: join(folder, "password") };
    const primary = await postgres.start(own);
    const stage = new ReplicaStage(folder, primary, {
      name: "postgres-replica-1",
      ...files("postgres-replica-1"),
      port: replicaPort,
      replicationPasswordFile: join(folder, "replication-password"),
      primary: own,
    });
    await stage.startReplica();
    return stage;
  }

  get replica(): RunningPart {
    if (this.#replica === undefined) throw new Error("the replica does not run");
    return this.#replica;
  }

  async startReplica(): Promise<void> {
    this.#replica = await replica.start(this.#options);
  }

  /** One more, which the caller stops. */
  async startAnother(name: string): Promise<RunningPart> {
    const [port] = (await pickPorts(1)) as [number];
    const files = { dataDir: join(this.#folder, name), logFile: join(this.#folder, `${name}.log`) };
    return replica.start({ ...this.#options, ...files, name, port });
  }

  async stopReplica(): Promise<void> {
    await this.#replica?.stop();
    this.#replica = undefined;
  }

  /** Ends it without a word to it. */
  async killReplica(): Promise<void> {
    signalAll(await processTree(this.replica.pid), "SIGKILL");
    await this.stopReplica();
  }

  /** Halts it in the midst of what it does; answers with what lets it go on. */
  async haltReplica(): Promise<() => void> {
    const pids = await processTree(this.replica.pid);
    signalAll(pids, "SIGSTOP");
    return () => signalAll(pids, "SIGCONT");
  }

  /** A database as the mesh gives it to a service, once the replica has it: the URL of its own account at both. */
  async database(name: string): Promise<{ url: string; readUrl: string }> {
    await ensureDatabases(this.primary.address, [name]);
    await ensureOwners(this.primary.address, [name]);
    const [here] = await this.ask<{ lsn: string }>("primary", "SELECT pg_current_wal_lsn()::text AS lsn");
    const shown = `SELECT pg_last_wal_replay_lsn() >= '${here?.lsn}'::pg_lsn AS "isShown"`;
    await until("the replica to show the database", async () => {
      const [row] = await this.ask<{ isShown: boolean }>("replica", shown);
      return row?.isShown;
    });
    const url = ownUrl(this.primary.address, name);
    const read = new URL(url);
    read.port = String(this.#options.port);
    return { url, readUrl: read.href };
  }

  /** One statement of the superuser. */
  async ask<R extends pg.QueryResultRow>(
    server: "primary" | "replica",
    sql: string,
    params: unknown[] = [],
  ): Promise<R[]> {
    const client = new pg.Client({ connectionString: this[server].address });
    await client.connect();
    try {
      return (await client.query<R>(sql, params)).rows;
    } finally {
      await client.end();
    }
  }

  /** Runs `fn` while the replica takes what is written and does not show it. */
  async whileBehind<T>(fn: () => Promise<T>): Promise<T> {
    await this.ask("replica", "SELECT pg_wal_replay_pause()");
    try {
      return await fn();
    } finally {
      await this.ask("replica", "SELECT pg_wal_replay_resume()");
    }
  }

  async stop(): Promise<void> {
    await this.stopReplica();
    await this.primary.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
