import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { UserService } from "#gen/user/v1/user_service_pb.js";
import { Database } from "#kit/db/database.ts";
import { type Consumer, type ConsumerOptions, startConsumer } from "#kit/events/consumer.ts";
import { createClient, MeshChannel } from "#kit/grpc/client.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { readConfig } from "../../../consumers/config.ts";
import { type ConsumersParts, createContext } from "../../../consumers/context.ts";
import { Mailer } from "../../../consumers/email/mailer.ts";
import { type GroupName, groups } from "../../../consumers/groups.ts";
import { People } from "../../../consumers/people.ts";
import { entities } from "../../../services/notification/db/mikro-orm.config.ts";
import { newPushKeyFile, newSecretFile } from "../../_util/push-keys.ts";
import { until } from "../../_util/until.ts";
import { startMailbox } from "./mailbox.ts";
import { openWatchStage } from "./watch-stage.ts";

export type AlertStage = Awaited<ReturnType<typeof openAlertStage>>;

/** The notification service and the consumers' groups around one database, with a mailbox. */
export async function openAlertStage(name: string) {
  const [watch, mailbox] = await Promise.all([openWatchStage(name), startMailbox()]);
  const { peers, database } = watch;
  const lifecycle = new Lifecycle();
  const { keyFile, jwksFile } = peers.identityFiles("consumers");
  const config = readConfig({
    MESH_ADDRESS: peers.address,
    MESH_IDENTITY_KEY_FILE: keyFile,
    MESH_IDENTITY_JWKS_FILE: jwksFile,
    NOTIFICATION_DB_URL: watch.databaseUrl,
    REDIS_URL: inject("redis"),
    KAFKA_BROKERS: inject("kafka"),
    SMTP_URL: mailbox.url,
    MAIL_FROM: "no-reply@mesh.example",
    PUBLIC_URL: "https://mesh.example",
    PUSH_VAPID_KEY_FILE: newPushKeyFile(),
    WEBHOOK_KEY_SECRET_FILE: newSecretFile(),
  });
  const channel = lifecycle.use("channel", new MeshChannel(peers.address), (opened) => opened.close());
  const users = createClient(UserService, channel, { identity: await peers.identity("consumers") });
  const openMailer = () =>
    lifecycle.use("mailer", new Mailer({ url: mailbox.url, connections: 3 }), (opened) => opened.close());
  const openLane = () => ({
    database: lifecycle.use(
      "lane",
      new Database({ url: watch.databaseUrl, entities, applicationName: name, pool: { min: 0, max: 3 } }),
      (opened) => opened.close(),
    ),
    mailer: openMailer(),
  });
  const parts: ConsumersParts = {
    database,
    redis: openRedis({ url: inject("redis"), lifecycle }),
    people: new People(users),
    mailer: openMailer(),
    urgent: openLane(),
  };
  const id = `${name}-${randomBytes(4).toString("hex")}`;
  return {
    ...watch,
    id,
    mailbox,
    /** Joins as the process would, under a name of the test's own. */
    join: (group: GroupName, options: JoinOptions = {}): Promise<Consumer> => {
      const { parts: other, ...rest } = options;
      const job = groups[group](createContext(config, { ...parts, ...other }));
      return startConsumer({
        group: `${id}.${group}`,
        topics: [...job.topics],
        brokers: [inject("kafka")],
        database: job.database ?? database,
        preparation: job,
        handle: (event) => job.handle(event),
        lifecycle,
        partitions: 3,
        sessionTimeoutMs: 6_000,
        retryDelaysMs: [200, 400, 800, 1_600],
        ...rest,
      });
    },
    /** The entries of somebody's inbox, the oldest first. */
    inboxOf: (recipientId: string) =>
      database.query<{ kind: string; title: string; body: string }>(
        "SELECT kind, title, body FROM notification WHERE recipient_id = $1 ORDER BY position",
        [recipientId],
      ),
    /** Waits until somebody has so many mails. */
    mailsTo: (address: string, count: number) =>
      until(`${count} mails`, () => mailbox.to(address).length >= count && mailbox.to(address), { everyMs: 20 }),
    close: async () => {
      await lifecycle.stop();
      await watch.close();
      await mailbox.stop();
    },
  };
}

export interface JoinOptions extends Partial<Pick<ConsumerOptions, "topics" | "retryDelaysMs">> {
  parts?: Partial<ConsumersParts>;
}
