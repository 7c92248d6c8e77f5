import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Command } from "commander";
import { inject, vi } from "vitest";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { execute } from "#kit/db/database.ts";
import { statement } from "#kit/db/statement.ts";
import type { ConsumerMiddleware, Delivery, Outcome } from "#kit/events/chain.ts";
import { type EventHandler, startConsumer } from "#kit/events/consumer.ts";
import { defaultChain } from "#kit/events/middleware/index.ts";
import { openProducer } from "#kit/events/producer.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { addDlq } from "../../../cli/commands/dlq.ts";
import type { PeerName } from "./peers.ts";
import { openWatchStage } from "./watch-stage.ts";

export type DeadLetterStage = Awaited<ReturnType<typeof openDeadLetterStage>>;

/** What became of one delivery, in the order in which a group was through with them. */
export interface Told {
  delivery: Delivery;
  result: Outcome["result"];
  /** When its try began. */
  startTime: number;
}

const put = statement("effect-of-group", "INSERT INTO effect (event_id, key, group_name) VALUES ($1, $2, $3)");

/** The notification service, its database, a topic of one test's own, and the operator's tool. */
export async function openDeadLetterStage(name: string) {
  const stage = await openWatchStage(name);
  const instance = await stage.start();
  const { peers, database } = stage;
  await database.query("CREATE TABLE effect (event_id uuid NOT NULL, key text NOT NULL, group_name text NOT NULL)");
  const lifecycle = new Lifecycle();
  const id = `${name.replaceAll("_", "-")}-${randomBytes(4).toString("hex")}`;
  const topic = `${id}.events.v1`;
  const brokers = [inject("kafka")];
  const producer = openProducer({ brokers, clientId: id, lifecycle, topics: [topic], partitions: 3 });
  const keys = await mkdtemp(join(tmpdir(), "taskmesh-operator-"));
  const { keyFile, jwksFile } = peers.identityFiles("operator");
  await copyFile(keyFile, join(keys, "operator.jwk.json"));
  await copyFile(jwksFile, join(keys, "services.jwks.json"));
  const operator = { MESH_ADDRESS: instance.address, MESH_IDENTITY_JWKS_FILE: join(keys, "services.jwks.json") };
  const channel = new MeshChannel(instance.address);
  return {
    id,
    topic,
    brokers,
    database,
    producer,
    stage,
    /** Starts a group that writes a row for each event; answers with what became of the deliveries, as it happens. */
    join: async (group: string, { fail, retryDelaysMs }: { fail: EventHandler; retryDelaysMs: number[] }) => {
      const told: Told[] = [];
      const handle: EventHandler = async (event) => {
        await execute(event.em, put, [event.meta.eventId, event.meta.key, group]);
        await fail(event);
      };
      const chain = [tellingTo(told), ...defaultChain];
      const place = { group, topics: [topic], brokers, database, lifecycle, partitions: 3 };
      await startConsumer({ ...place, handle, chain, retryDelaysMs });
      return told;
    },
    client: async (as: PeerName) => createClient(NotificationService, channel, { identity: await peers.identity(as) }),
    /** What `mesh dlq … --json` prints, run as a program of its own. */
    mesh: async (...args: string[]) => {
      const words = ["cli/mesh.ts", "dlq", ...args, "--json"];
      const { stdout } = await promisify(execFile)(process.execPath, words, { env: { ...process.env, ...operator } });
      return JSON.parse(stdout);
    },
    /** The same in this process, which takes no second to start. */
    dlq: async (...args: string[]) => {
      for (const [name, value] of Object.entries(operator)) vi.stubEnv(name, value);
      const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
      try {
        const program = new Command();
        addDlq(program);
        await program.parseAsync(["dlq", ...args, "--json"], { from: "user" });
        return JSON.parse(write.mock.calls.map(([text]) => text).join(""));
      } finally {
        write.mockRestore();
        vi.unstubAllEnvs();
      }
    },
    /** How often an event had its effect in a group. */
    effects: async (group: string, eventId: string) => {
      const sql = "SELECT count(*)::int AS count FROM effect WHERE group_name = $1 AND event_id = $2";
      const [row] = await database.query<{ count: number }>(sql, [group, eventId]);
      return row?.count ?? 0;
    },
    close: async () => {
      channel.close();
      await lifecycle.stop();
      await instance.stop();
      await stage.close();
      await rm(keys, { recursive: true });
    },
  };
}

function tellingTo(told: Told[]): ConsumerMiddleware {
  return {
    name: "tell",
    wrap: (next) => async (delivery) => {
      const startTime = Date.now();
      const outcome = await next(delivery);
      told.push({ delivery, result: outcome.result, startTime });
      return outcome;
    },
  };
}
