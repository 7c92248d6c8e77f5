import { randomBytes } from "node:crypto";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { inject } from "vitest";
import { AuthEventSchema } from "#gen/auth/v1/auth_events_pb.js";
import { TaskEventSchema } from "#gen/task/v1/task_events_pb.js";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { type Database, openDatabase } from "#kit/db/database.ts";
import { type Consumer, type ConsumerOptions, startConsumer } from "#kit/events/consumer.ts";
import { cloudEventHeaders } from "#kit/events/event.ts";
import { type OutgoingRecord, openProducer } from "#kit/events/producer.ts";
import { startRelay } from "#kit/events/relay.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { injectContext } from "#observability/tracing.ts";
import type { ConsumersContext } from "../../../consumers/context.ts";
import { createContext } from "../../../consumers/context.ts";
import { Mailer } from "../../../consumers/email/mailer.ts";
import { type GroupName, groups } from "../../../consumers/groups.ts";
import { People } from "../../../consumers/people.ts";
import { entities, migrations } from "../../../services/notification/db/mikro-orm.config.ts";
import { createTestDatabase } from "../../_util/database.ts";
import { type Mailbox, startMailbox } from "./mailbox.ts";
import { startPeers } from "./peers.ts";
import { settings } from "./settings.ts";

export type Stack = Awaited<ReturnType<typeof openStack>>;

/** The notification context with topics and groups of one test's own, beside real PostgreSQL, Kafka and SMTP. */
export async function openStack(name: string, mailboxGiven?: Mailbox, pushKeyFile?: string) {
  const [peers, own] = await Promise.all([startPeers(), createTestDatabase(name)]);
  const mailbox = mailboxGiven ?? (await startMailbox());
  const lifecycle = new Lifecycle();
  const id = `${name}-${randomBytes(4).toString("hex")}`;
  const brokers = [inject("kafka")];
  const topics = { events: `${id}.events.v1`, deliveries: `${id}.deliveries.v1` };
  const database = await openDatabase({ url: own.url, entities, migrations, lifecycle, applicationName: id });
  const producer = openProducer({
    brokers,
    clientId: id,
    lifecycle,
    topics: Object.values(topics),
    partitions: 3,
  });
  startRelay({ database, source: "notification", producer, lifecycle });
  const channel = lifecycle.use("channel", new MeshChannel(peers.address), (opened) => opened.close());
  const users = createClient(UserService, channel, { identity: await peers.identity("consumers") });
  const mailer = lifecycle.use("mailer", new Mailer({ url: mailbox.url }), (opened) => opened.close());
  const redis = openRedis({ url: inject("redis"), lifecycle });
  const parts = { database, redis, people: new People(users), mailer, urgent: { database, mailer } };
  const webhookSecret = randomBytes(32);
  const context: ConsumersContext = {
    ...createContext(settings(mailbox.url, pushKeyFile, webhookSecret), parts),
    deliveryTopic: topics.deliveries,
  };
  return {
    id,
    peers,
    mailbox,
    lifecycle,
    database,
    databaseUrl: own.url,
    brokers,
    topics,
    context,
    webhookSecret,
    producer,
    publish: (records: OutgoingRecord[]) => producer.send(records),
    start: (group: GroupName, options: StartOptions = {}) =>
      start({ id, group, brokers, database, lifecycle, context: { ...context, ...options.context } }, topics, options),
    close: async () => {
      await lifecycle.stop();
      if (mailboxGiven === undefined) await mailbox.stop();
      await peers.close();
      await own.drop();
    },
  };
}

export interface StartOptions extends Partial<Pick<ConsumerOptions, "chain" | "retryDelaysMs" | "timeoutMs">> {
  context?: Partial<ConsumersContext>;
}

interface Place {
  id: string;
  group: GroupName;
  brokers: string[];
  database: Database;
  lifecycle: Lifecycle;
  context: ConsumersContext;
}

/** Joins as the process would, under a name of the test's own. */
function start(
  place: Place,
  topics: { events: string; deliveries: string },
  { context: _, ...options }: StartOptions,
): Promise<Consumer> {
  const { id, group: name, ...rest } = place;
  const group = groups[name](place.context);
  return startConsumer({
    ...rest,
    group: groupName(id, name),
    topics: [name === "notification" ? topics.events : topics.deliveries],
    preparation: group,
    eventsPerTransaction: group.eventsPerTransaction,
    handle: (event) => group.handle(event),
    partitions: 3,
    sessionTimeoutMs: 6000,
    ...options,
  });
}

export const groupName = (id: string, group: GroupName) => `${id}.${group}`;

/** What happened to a task, as the task service would say it. */
export function taskEvent(
  topic: string,
  event: Omit<MessageInitShape<typeof TaskEventSchema>, "$typeName">,
): OutgoingRecord {
  const full = { eventId: newId(), taskId: newId(), sequence: 1n, occurTime: timestampFromDate(new Date()), ...event };
  return record(
    { topic, key: full.taskId, source: "task", eventId: full.eventId },
    toBinary(TaskEventSchema, create(TaskEventSchema, full)),
  );
}

export function authEvent(
  topic: string,
  event: Omit<MessageInitShape<typeof AuthEventSchema>, "$typeName"> & { userId: string },
): OutgoingRecord {
  const full = { eventId: newId(), sequence: 1n, occurTime: timestampFromDate(new Date()), ...event };
  return record(
    { topic, key: full.userId, source: "auth", eventId: full.eventId },
    toBinary(AuthEventSchema, create(AuthEventSchema, full)),
  );
}

interface RecordOptions {
  topic: string;
  key: string;
  source: string;
  eventId: string;
}

export function record({ topic, key, source, eventId }: RecordOptions, value: Uint8Array): OutgoingRecord {
  const type = `${source}.v1.Fact`;
  const headers = cloudEventHeaders({ eventId, type, sequence: 1, occurTime: new Date() }, source);
  return { topic, key, value, headers: injectContext(headers) };
}
