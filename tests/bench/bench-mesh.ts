import { join } from "node:path";
import pg from "pg";
import { databaseUrl } from "../../cli/runner/db/databases.ts";
import { findHome } from "../../cli/runner/home.ts";
import * as postgres from "../../cli/runner/parts/postgres.ts";
import type { InstanceState } from "../../cli/runner/state.ts";
import { TestMesh } from "../_util/mesh.ts";
import { Person } from "../_util/person.ts";
import { until } from "../_util/until.ts";

/** How far the relay is, then what lies behind that: the same reading that the relay makes. */
const cursorQuery = "SELECT xid::text, seq::text FROM outbox_cursor WHERE source = 'task'";
const unsentQuery = "SELECT count(*)::int FROM outbox_event WHERE (xid, seq) > ($1::xid8, $2::bigint)";
const eventsQuery = "SELECT count(*)::int FROM outbox_event";
const handledQuery = "SELECT count(*)::int FROM inbox_event WHERE group_name = 'notification'";

/** A light mesh of the bench's own, with somebody who is signed in, and a look into its databases. */
export class BenchMesh {
  readonly mesh: TestMesh;
  /** The superuser's URL of its PostgreSQL. */
  readonly adminUrl: string;
  /** Whether a live Jaeger takes its traces. */
  tracing = false;
  #instances: readonly InstanceState[];
  readonly #tasks: pg.Client;
  readonly #inbox: pg.Client;
  /** Events of others that the notification group had handled before the first task. */
  #handledBefore = 0;

  private constructor(mesh: TestMesh, adminUrl: string, instances: readonly InstanceState[]) {
    this.mesh = mesh;
    this.adminUrl = adminUrl;
    this.#instances = instances;
    this.#tasks = new pg.Client({ connectionString: databaseUrl(adminUrl, "task") });
    this.#inbox = new pg.Client({ connectionString: databaseUrl(adminUrl, "notification") });
  }

  static async start(sampleRatio: number): Promise<BenchMesh> {
    const mesh = await TestMesh.start({ env: { MESH_PROFILE: "light", OTEL_TRACES_SAMPLER_ARG: String(sampleRatio) } });
    try {
      const { instances } = await mesh.status();
      const port = instances.find(({ name }) => name === "postgres")?.ports.sql as number;
      const passwordFile = join(findHome(mesh.environment.MESH_HOME).keys, "postgres-password");
      const bench = new BenchMesh(mesh, await postgres.addressOf({ port, passwordFile }), instances);
      await Promise.all([bench.#tasks.connect(), bench.#inbox.connect()]);
      bench.tracing = sampleRatio > 0;
      if (bench.tracing) await until("Jaeger to be there", async () => (await fetch(`${mesh.jaeger}/api/services`)).ok);
      return bench;
    } catch (error) {
      await mesh.stop();
      throw error;
    }
  }

  /** Sets the number of instances of some processes. */
  async scale(names: readonly string[], count: number): Promise<void> {
    for (const name of names) await this.mesh.scale(name, count);
    this.#instances = (await this.mesh.status()).instances;
  }

  /** Somebody new, whose token is good for a quarter of an hour. Waits until what a registration sets off is over. */
  async signIn(): Promise<Person> {
    const person = await Person.register(this.mesh.edge, "Bench");
    let last = -1;
    await until(
      "the registration to be over",
      async () => {
        const now = await this.#handled();
        const quiet = now === last;
        last = now;
        return quiet;
      },
      { everyMs: 1000 },
    );
    this.#handledBefore = last - (await count(this.#tasks, eventsQuery));
    return person;
  }

  /**
   * Waits until every task's event has been sent and its effect is committed. Answers with what was unsent at the
   * beginning and the seconds that it took.
   */
  async drain(): Promise<{ unsent: number; seconds: number }> {
    const begin = performance.now();
    const unsent = await this.#unsent();
    await until(
      "the consumers to have handled every event",
      async () => {
        if ((await this.#unsent()) > 0) return false;
        return (await this.#handled()) - this.#handledBefore >= (await count(this.#tasks, eventsQuery));
      },
      { timeoutMs: 180_000, everyMs: 100 },
    );
    return { unsent, seconds: (performance.now() - begin) / 1000 };
  }

  /** Of the task service's database. */
  get database(): pg.Client {
    return this.#tasks;
  }

  /** Writes what PostgreSQL has in memory to disk now, so that one run does not pay for the one before. */
  async checkpoint(): Promise<void> {
    await this.#tasks.query("CHECKPOINT");
  }

  /** Every program of the mesh by its name. */
  pids(): Map<string, number> {
    return new Map(this.#instances.flatMap(({ name, pid }) => (pid === undefined ? [] : [[name, pid]])));
  }

  /** The admin pages of our own processes, by their names. */
  adminPages(): Map<string, string> {
    return new Map(
      this.#instances.flatMap(({ name, ports }) => (ports.admin ? [[name, `http://127.0.0.1:${ports.admin}`]] : [])),
    );
  }

  async stop(): Promise<void> {
    await Promise.allSettled([this.#tasks.end(), this.#inbox.end()]);
    await this.mesh.stop();
  }

  async #unsent(): Promise<number> {
    const { rows } = await this.#tasks.query(cursorQuery);
    return count(this.#tasks, unsentQuery, rows[0] === undefined ? ["0", "0"] : [rows[0].xid, rows[0].seq]);
  }

  #handled(): Promise<number> {
    return count(this.#inbox, handledQuery);
  }
}

async function count(client: pg.Client, sql: string, values: unknown[] = []): Promise<number> {
  const { rows } = await client.query<{ count: number }>(sql, values);
  return rows[0]?.count ?? 0;
}
