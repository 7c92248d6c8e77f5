import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { openDatabase } from "#kit/db/database.ts";
import { type Consumer, startConsumer } from "#kit/events/consumer.ts";
import { type OutgoingRecord, openProducer } from "#kit/events/producer.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { People } from "../../../consumers/people.ts";
import type { SchedulerGroupContext } from "../../../consumers/scheduler/context.ts";
import { schedulerGroup } from "../../../consumers/scheduler/group.ts";
import { entities, migrations } from "../../../services/notification/db/mikro-orm.config.ts";
import { createTestDatabase } from "../../_util/database.ts";
import { until } from "../../_util/until.ts";
import { startPeers } from "./peers.ts";

export type SchedulerStage = Awaited<ReturnType<typeof openStage>>;

/** The schedule with a topic and a group of one test's own, beside real PostgreSQL and Kafka. */
export async function openStage(name: string) {
  const [peers, own] = await Promise.all([startPeers(), createTestDatabase(`scheduler ${name}`)]);
  const lifecycle = new Lifecycle();
  const id = `scheduler-${name}-${randomBytes(4).toString("hex")}`;
  const brokers = [inject("kafka")];
  const topic = `${id}.events.v1`;
  const database = await openDatabase({ url: own.url, entities, migrations, lifecycle, applicationName: id });
  const producer = openProducer({ brokers, clientId: id, lifecycle, topics: [topic], partitions: 3 });
  const channel = lifecycle.use("channel", new MeshChannel(peers.address), (opened) => opened.close());
  const users = createClient(UserService, channel, { identity: await peers.identity("consumers") });
  const context: SchedulerGroupContext = {
    database,
    redis: openRedis({ url: inject("redis"), lifecycle }),
    people: new People(users),
    deliveryTopic: `${topic}.deliveries`,
    reminderLateSeconds: 3_600,
  };

  const publish = (records: OutgoingRecord[]) => producer.send(records);
  const hear = (): Promise<Consumer> => {
    const group = schedulerGroup(context);
    return startConsumer({
      ...{ brokers, database, lifecycle, group: id, topics: [topic], partitions: 3, sessionTimeoutMs: 6000 },
      preparation: group,
      handle: (event) => group.handle(event),
    });
  };
  return {
    id,
    peers,
    database,
    databaseUrl: own.url,
    lifecycle,
    brokers,
    topic,
    context,
    publish,
    /** Hears of the events as the group does, without being one that may lead. */
    hear,
    /** Brings so many reminders into the schedule, by a member of the group that is gone afterwards. */
    collect: async (records: OutgoingRecord[], count: number) => {
      const consumer = await hear();
      await publish(records);
      await until(`${count} reminders in the schedule`, async () => {
        const [row] = await database.query<{ count: number }>("SELECT count(*)::int AS count FROM schedule");
        return row?.count === count;
      });
      await consumer.stop();
    },
    /** The sessions that hold the leader's lock, by their names. */
    leaders: () =>
      database.query<{ name: string }>(
        `SELECT application_name AS name FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE locktype = 'advisory' AND granted AND datname = current_database() AND classid = ${0x6c656164}`,
      ),
    close: async () => {
      await lifecycle.stop();
      await peers.close();
      await own.drop();
    },
  };
}
