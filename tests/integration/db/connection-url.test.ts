import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { databaseConfig, databaseEnvironment } from "#kit/database-config.ts";
import { type Database, execute, openDatabase } from "#kit/db/database.ts";
import { sqlMigration } from "#kit/db/migrate.ts";
import { readEnv } from "#kit/env.ts";
import { Code } from "#kit/errors.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { edgeCertificate } from "../../../cli/runner/certificate.ts";
import { createTestDatabase, type TestDatabase, testPool } from "../../_util/database.ts";
import { until } from "../../_util/until.ts";

let folder: string;
let own: TestDatabase;
let server: Server;
let lifecycle: Lifecycle;
/** Connections through the front, by whether TLS was asked for. */
let seen: { encrypted: number; plain: number };
let offersTls: boolean;

/** PostgreSQL with TLS: what comes in is asked for it, as the protocol has it, and goes on to the tests' own server. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-database-tls-"));
  const files = await edgeCertificate(folder, {});
  if (files === undefined) throw new Error("openssl is missing");
  own = await createTestDatabase("connection-url");
  const [cert, key] = [readFileSync(files.certFile), readFileSync(files.keyFile)];
  const { hostname, port } = new URL(own.url);
  [seen, offersTls] = [{ encrypted: 0, plain: 0 }, true];
  server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (first) => {
      const upstream = connect(Number(port), hostname);
      const wantsTls = first.length === 8 && first.readUInt32BE(4) === 80_877_103;
      seen[wantsTls ? "encrypted" : "plain"] += 1;
      if (wantsTls) socket.write(offersTls ? "S" : "N");
      else upstream.write(first);
      const client: Socket = wantsTls && offersTls ? new TLSSocket(socket, { isServer: true, cert, key }) : socket;
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        one.on("error", () => {}).on("close", () => other.destroy());
        one.pipe(other);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  lifecycle = new Lifecycle();
});
afterEach(async () => {
  await lifecycle.stop();
  server.close();
  await own.drop();
  await rm(folder, { recursive: true });
});

const table = sqlMigration("Migration20261121000009_table", ["CREATE TABLE one (two int)"], ["DROP TABLE one"]);

/** Opens the database as a service does that was given this URL. */
function open(parameters: string): Promise<Database> {
  const url = new URL(own.url);
  url.port = String((server.address() as AddressInfo).port);
  url.search = parameters;
  const given = { TASK_DB_URL: url.href, START_TIMEOUT: "0" };
  const config = databaseConfig(readEnv(databaseEnvironment("TASK_DB_URL"), given));
  return openDatabase({ ...config, entities: [], migrations: [table], lifecycle, applicationName: "connection-url" });
}

describe("a database's URL", () => {
  it("with sslmode=require, connection_limit=10 and pool_timeout=20 is encrypted, has ten connections, and who finds none free waits [002.06]", async () => {
    const database = await open("sslmode=require&connection_limit=10&pool_timeout=20");
    const over = new AbortController();
    /** Keeps one connection until it is over; again when the machine was too busy to make one in time. */
    const hold = () =>
      until("a connection", async () => {
        const begun = Promise.withResolvers<void>();
        const done = database.transactional(async (em) => {
          begun.resolve();
          // A session that idles in a transaction would be ended.
          while (!over.signal.aborted) {
            await execute(em, { text: "SELECT 1" });
            await delay(200);
          }
        });
        done.catch(begun.reject);
        await begun.promise;
        return { done };
      });
    const held: Promise<void>[] = [];
    while (held.length < 10) held.push((await hold()).done);
    const look = testPool(own.url, 1);
    const connections = async () => {
      const sql = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'connection-url'";
      return (await look.query<{ count: number }>(sql)).rows[0]?.count;
    };
    expect(await connections()).toBe(10);
    const waiting = Array.from({ length: 5 }, () => database.query("SELECT 1 AS one"));
    // Longer than anybody waits by default.
    await delay(1_800);
    expect(await connections()).toBe(10);
    over.abort();
    await Promise.all(held);
    expect(await Promise.all(waiting)).toEqual(Array(5).fill([{ one: 1 }]));
    expect(seen.plain).toBe(0);
    expect(seen.encrypted).toBeGreaterThanOrEqual(10);
    await look.end();
  });

  it("with sslmode=require encrypts the request that ends an aborted call's query, too", async () => {
    const database = await open("sslmode=require");
    const look = testPool(own.url, 1);
    const running = async () => {
      const sql =
        "SELECT count(*)::int AS count FROM pg_stat_activity WHERE query LIKE '%an encrypted call' AND pid <> pg_backend_pid()";
      return (await look.query<{ count: number }>(`${sql} AND state = 'active'`)).rows[0]?.count;
    };
    const caller = new AbortController();
    const work = database.query("SELECT pg_sleep(1.2) -- an encrypted call", [], { signal: caller.signal });
    const ended = work.catch((error) => error);
    await until("the query to run", async () => (await running()) === 1, { everyMs: 10 });
    caller.abort();
    expect(await ended).toMatchObject({ code: Code.CANCELLED });
    expect([await running(), seen.plain]).toEqual([0, 0]);
    await look.end();
  });

  it("with sslmode=require is not served by a server without TLS", async () => {
    offersTls = false;
    await expect(open("sslmode=require")).rejects.toThrow(/does not support SSL/);
    expect(seen.plain).toBe(0);
  });

  it("without sslmode is as the server is", async () => {
    const database = await open("");
    expect(await database.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(seen.encrypted).toBe(0);
  });
});
