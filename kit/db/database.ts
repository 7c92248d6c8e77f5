import { AsyncLocalStorage } from "node:async_hooks";
import { hkdfSync } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type EntityManager, type EntitySchema, MikroORM } from "@mikro-orm/postgresql";
import { CompiledQuery } from "kysely";
import type pg from "pg";
import { ConfigError } from "#kit/env.ts";
import { ServiceError } from "#kit/errors.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { logger } from "#observability/logger.ts";
import { observe } from "#observability/metrics.ts";
import { abortError, activeSignal, cancelledBy, untilAborted } from "./cancellation.ts";
import { EnclosingTransaction } from "./enclosing.ts";
import { encryptionOf } from "./encryption.ts";
import { isConnectionError, isRefusal, toServiceError } from "./errors.ts";
import { type MigrationEntry, migrate } from "./migrate.ts";
import { Patience } from "./patience.ts";
import { Answers, DatabaseProbe } from "./probe.ts";
import { ReadReplica } from "./read-replica.ts";
import { sessionClass, withRowTypes } from "./session.ts";
import { sessionLimits } from "./session-limits.ts";
import { rowTypes, type Statement, statement } from "./statement.ts";

export type { EntityManager, EntitySchema, MigrationEntry };

const log = logger("db");

export interface DatabaseOptions {
  url: string;
  /** The same database past a pooler that `url` leads to, for what belongs to a session: migrations, the relay's lock. */
  directUrl?: string | undefined;
  entities: EntitySchema[];
  /** In the order in which they run. */
  migrations: MigrationEntry[];
  pool?: PoolOptions;
  /** A replica for reads that may be a moment old; see `onReplica`. */
  replica?: { url: string; maxLagMs: number } | undefined;
  lifecycle: Lifecycle;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  /** How long to wait for a database that is not there yet, in milliseconds. */
  startTimeoutMs?: number;
  /** After how many milliseconds PostgreSQL gives up a statement. */
  statementTimeoutMs?: number;
}

export interface PoolOptions {
  min: number;
  max: number;
  /** How long to wait for a free connection or a new one, in milliseconds. Shorter than a call may take, so that who finds the pool exhausted is told so, and when to come back. */
  acquireMs?: number;
  /** How long a connection beyond `min` is kept without work, in milliseconds. */
  idleMs?: number;
  /** False for a second pool of a process: the metrics are those of the first. */
  isMeasured?: boolean;
}

export interface QueryOptions {
  /** Prepares the statement under this name; give one to whatever runs often. */
  name?: string;
  /** Aborting it cancels the query in PostgreSQL. */
  signal?: AbortSignal | undefined;
}

export interface TransactionOptions {
  signal?: AbortSignal | undefined;
  /** In place of the session's limit, for every statement of this transaction. */
  statementTimeoutMs?: number;
}

/**
 * Waits for the database, brings its schema up to date and opens the pool; closed by the lifecycle.
 * Fails with one plain line when the database does not answer within the start timeout.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { directUrl = options.url, applicationName } = options;
  const connection = { connectionString: directUrl, application_name: applicationName };
  const ran = await whenReachable(directUrl, options.startTimeoutMs, () => migrate(connection, options.migrations));
  if (ran.length > 0) log.info({ migrations: ran }, "migrated the database");
  const database = new Database(options);
  options.lifecycle.use("database", database, () => database.close());
  return database;
}

/** A service's database: entities through `em`, hand-written SQL through `query`, both over one pool. */
export class Database {
  readonly orm: MikroORM;
  readonly url: string;
  /** For a session of its own: not through a pooler. */
  readonly directUrl: string;
  readonly applicationName: string;
  readonly replica: ReadReplica | undefined;
  readonly #pool: pg.Pool;
  readonly #probe: DatabaseProbe;
  readonly #patience: Patience;
  readonly #stopObserving: (() => void)[];
  readonly #afterCommit = new WeakMap<EntityManager, (() => void)[]>();
  readonly #enclosing = new AsyncLocalStorage<EnclosingTransaction | undefined>();
  readonly #reading = new AsyncLocalStorage<ReadReplica | undefined>();

  /** Opens the pool without waiting or migrating; processes use `openDatabase`. */
  constructor(options: Omit<DatabaseOptions, "lifecycle" | "migrations">) {
    this.url = options.url;
    this.directUrl = options.directUrl ?? options.url;
    this.applicationName = options.applicationName;
    const connection = { connectionString: options.url, application_name: options.applicationName };
    const answers = new Answers();
    this.#probe = new DatabaseProbe(connection, answers);
    const opened = openOrm(options, answers);
    this.orm = opened.orm;
    this.#pool = opened.pool;
    this.#patience = new Patience({ pool: opened.pool, probe: this.#probe, answers });
    this.#stopObserving = options.pool?.isMeasured === false ? [] : observePool(this.#pool);
    this.replica = openReplica(options);
  }

  /** A fresh entity manager: its own identity map, no transaction. */
  em(): EntityManager {
    return this.orm.em.fork() as EntityManager;
  }

  /**
   * Runs `fn` in one transaction, flushes and commits. An aborted signal cancels the running query and rolls back.
   * Inside `asOne` it is a part of that transaction.
   */
  async transactional<T>(fn: (em: EntityManager) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const { signal, statementTimeoutMs } = options;
    const work = async (em: EntityManager) => {
      if (statementTimeoutMs !== undefined) await execute(em, setTimeoutLocally, [String(statementTimeoutMs)]);
      // Rolls back at once: what `fn` still does then meets a transaction that is over.
      return untilAborted(signal, fn(em));
    };
    const enclosing = this.#enclosing.getStore();
    return this.#guarded(signal, () =>
      enclosing === undefined
        ? this.#commit(work)
        : enclosing.join(async (em) => {
            const result = await work(em);
            await em.flush();
            return result;
          }),
    );
  }

  /**
   * Runs `fn` in one transaction that every `transactional` and `query` of this database joins that `fn` comes to,
   * however deep: all of it is committed at its end, or nothing. `em()` stays outside.
   */
  async asOne<T>(fn: (em: EntityManager) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    let enclosing: EnclosingTransaction | undefined;
    try {
      return await this.transactional((em) => {
        const whole = new EnclosingTransaction(em);
        enclosing = whole;
        return this.#enclosing.run(whole, () => whole.run(fn));
      }, options);
    } finally {
      enclosing?.end();
    }
  }

  /**
   * Runs `fn` once the work of `em`, or of the transaction that encloses the call, is committed; at once when there is
   * neither, and never when it is rolled back. For news that others may only hear when they can read it. `fn` must not throw.
   */
  afterCommit(fn: () => void, em = this.#enclosing.getStore()?.em): void {
    if (em === undefined) fn();
    else this.#afterCommit.set(em, [...(this.#afterCommit.get(em) ?? []), fn]);
  }

  async #commit<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    const own = this.em();
    let inner: EntityManager = own;
    const result = await own.transactional((em) => {
      inner = em as EntityManager;
      return work(inner);
    });
    for (const fn of this.#afterCommit.get(inner) ?? []) fn();
    return result;
  }

  /**
   * Runs `fn` outside of the transaction that encloses it, if there is one: what it does stays done, whatever becomes of
   * the rest. It takes a second connection, so that only so many may do this at a time as the pool has left.
   */
  apart<T>(fn: () => Promise<T>): Promise<T> {
    return this.#enclosing.run(undefined, fn);
  }

  /** Runs `fn`, whose statements through `query` go to the replica, if there is one. Nothing that `fn` does may write. */
  onReplica<T>(fn: () => Promise<T>): Promise<T> {
    return this.#reading.run(this.replica, fn);
  }

  /** Runs one statement on a connection of the pool, or of the transaction that encloses it. Parameters are $1, $2, …; see `rowTypes` for how values come back. */
  async query<R = Record<string, unknown>>(
    sql: string | Statement,
    params: readonly unknown[] = [],
    { name, signal }: QueryOptions = {},
  ): Promise<R[]> {
    if (typeof sql === "string" && name !== undefined) statement(name, sql);
    const text = typeof sql === "string" ? sql : sql.text;
    const enclosing = this.#enclosing.getStore();
    return this.#guarded(signal, async () => {
      if (signal?.aborted) throw abortError(signal);
      if (enclosing !== undefined) {
        return enclosing.join((em) => withRowTypes(() => execute<R>(em, { text }, params)));
      }
      const replica = this.#reading.getStore();
      if (replica !== undefined) return replica.query<R>(text, params);
      const client = await this.#connection(signal);
      try {
        return (await client.query({ text, values: [...params], types: rowTypes })).rows as R[];
      } finally {
        client.release();
      }
    });
  }

  /** Nobody waits for a connection for whom there is no time left; one that comes later goes back. */
  #connection(signal: AbortSignal | undefined): Promise<pg.PoolClient> {
    const connecting = this.#pool.connect();
    return untilAborted(signal, connecting).catch((error) => {
      connecting.then(
        (client) => client.release(),
        () => {},
      );
      throw error;
    });
  }

  /** Runs `fn`, whose reads through `em()` are cancelled with the signal. */
  scoped<T>(signal: AbortSignal | undefined, fn: () => Promise<T>): Promise<T> {
    return this.#guarded(signal, fn);
  }

  /** Whether the database answers, however busy the pool is; throws if it does not within 1.5 s. */
  ping(): Promise<void> {
    return this.#probe.check();
  }

  /** A 32-byte key for one purpose, the same in every process that uses this database with the same password. */
  key(purpose: string): Uint8Array {
    const { password, pathname } = new URL(this.url);
    return new Uint8Array(hkdfSync("sha256", password || pathname, pathname, `taskmesh ${purpose}`, 32));
  }

  async close(): Promise<void> {
    for (const stop of this.#stopObserving) stop();
    await this.#probe.close();
    await this.replica?.close();
    await this.orm.close(true);
  }

  async #guarded<T>(signal: AbortSignal | undefined, fn: () => Promise<T>): Promise<T> {
    // Work within work is watched already.
    const endWatch = signal === activeSignal() ? undefined : this.#patience.watch(signal);
    try {
      return await cancelledBy(signal, fn);
    } catch (error) {
      const standing = signal ?? activeSignal();
      if (standing?.aborted && !(error instanceof ServiceError)) throw abortError(standing, error);
      throw toServiceError(error);
    } finally {
      endWatch?.();
    }
  }
}

const setTimeoutLocally = statement("db-statement-timeout", "SELECT set_config('statement_timeout', $1, true)");

/** Runs a declared statement inside the transaction of an entity manager, with real parameters. */
export async function execute<R = Record<string, unknown>>(
  em: EntityManager,
  { text }: Pick<Statement, "text">,
  params: readonly unknown[] = [],
): Promise<R[]> {
  const executor = em.getTransactionContext() ?? em.getConnection().getClient();
  const { rows } = await executor.executeQuery(CompiledQuery.raw(text, [...params]));
  return rows as R[];
}

/** The SQL that would bring the tables to what the entities say; empty when they agree. Never run it: for a test. */
export async function schemaDrift(database: Database): Promise<string> {
  const sql = await database.orm.schema.getUpdateSchemaSQL({ wrap: false, safe: false });
  return sql.trim();
}

/** Tables that belong to the kit, which no entity describes. */
const kitTables = [
  /^outbox_/,
  /^inbox_event/,
  /^parked_key$/,
  /^dead_letter$/,
  /^idempotency_key$/,
  /^mikro_orm_migrations$/,
];

function openOrm(options: Omit<DatabaseOptions, "lifecycle" | "migrations">, answers: Answers) {
  const { hostname, port, pathname } = new URL(options.url);
  const { min, max, acquireMs = 1_500, idleMs = 10_000 } = options.pool ?? { min: 2, max: 10 };
  const attributes = { "db.system.name": "postgresql", "db.namespace": pathname.slice(1) };
  let pool: pg.Pool | undefined;
  const orm = new MikroORM({
    clientUrl: options.url,
    entities: options.entities,
    discovery: { warnWhenNoEntities: false },
    // It is there: the migrations have run. A pooler may know it by another name.
    ensureDatabase: false,
    pool: { min, max, idleTimeoutMillis: idleMs },
    forceUtcTimezone: true,
    schemaGenerator: { skipTables: kitTables },
    driverOptions: {
      Client: sessionClass({ answers, attributes }),
      onPoolCreated: (created: pg.Pool) => {
        pool = created;
      },
      application_name: options.applicationName,
      ssl: encryptionOf(options.url),
      statement_timeout: options.statementTimeoutMs ?? sessionLimits.statement_timeout,
      idle_in_transaction_session_timeout: sessionLimits.idle_in_transaction_session_timeout,
      connectionTimeoutMillis: acquireMs,
      keepAlive: true,
    },
  });
  orm.em.getConnection().getClient();
  if (pool === undefined) throw new Error(`no pool for ${hostname}:${port}`);
  return { orm, pool };
}

function openReplica(options: Omit<DatabaseOptions, "lifecycle" | "migrations">): ReadReplica | undefined {
  const { replica, url, applicationName, pool, statementTimeoutMs = sessionLimits.statement_timeout } = options;
  if (replica === undefined) return undefined;
  return new ReadReplica({
    ...{ ...replica, primaryUrl: url, applicationName, statementTimeoutMs },
    poolMax: pool?.max ?? 10,
  });
}

function observePool(pool: pg.Pool): (() => void)[] {
  return [
    observe("db.client.connection.count", (record) => {
      record(pool.idleCount, { "db.client.connection.state": "idle" });
      record(pool.totalCount - pool.idleCount, { "db.client.connection.state": "used" });
    }),
    observe("db.client.connection.pending_requests", (record) => record(pool.waitingCount)),
    observe("db.client.connection.max", (record) => record(pool.options.max)),
  ];
}

async function whenReachable<T>(url: string, startTimeoutMs = 30_000, fn: () => Promise<T>): Promise<T> {
  const { hostname, port, pathname, username } = new URL(url);
  const address = `${hostname}:${port || 5432}${pathname}`;
  const end = Date.now() + startTimeoutMs;
  for (let tries = 0; ; tries += 1) {
    try {
      return await fn();
    } catch (error) {
      if (isRefusal(error))
        throw new ConfigError(`the database at ${address} refuses ${decodeURIComponent(username)}: ${error.message}`);
      if (!isConnectionError(error)) throw error;
      const code = (error as { code?: string }).code ?? "no connection";
      if (Date.now() >= end) throw new Error(`the database at ${address} does not answer: ${code}`, { cause: error });
      if (tries === 0) log.info({ address }, "waiting for the database");
      await delay(Math.min(100 * 2 ** tries, 1000));
    }
  }
}
