import { inject } from "vitest";
import { NotificationService, type WatchNotificationsResponse } from "#gen/notification/v1/notification_service_pb.js";
import { Database } from "#kit/db/database.ts";
import { type Client, createClient, MeshChannel } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { readConfig } from "../../../services/notification/config.ts";
import { addToInboxes, type NewEntry } from "../../../services/notification/db/inbox.repository.ts";
import { entities } from "../../../services/notification/db/mikro-orm.config.ts";
import { announceInboxes } from "../../../services/notification/events.ts";
import { startService } from "../../../services/notification/service.ts";
import { createTestDatabase } from "../../_util/database.ts";
import { newPushKeyFile, newSecretFile } from "../../_util/push-keys.ts";
import { type Peers, startPeers } from "./peers.ts";

export interface Instance {
  address: string;
  client: Client<typeof NotificationService>;
  stop(): Promise<void>;
}

/** Instances of the service over one database, and a hand that writes as the consumers do. */
export interface WatchStage {
  peers: Peers;
  database: Database;
  databaseUrl: string;
  start(environment?: Record<string, string>): Promise<Instance>;
  /** Puts one entry in each inbox in one transaction, and announces them after it. Answers with the entries' ids. */
  add(recipients: string[], options?: { announced: boolean }): Promise<string[]>;
  as(userId: string, claims?: Record<string, unknown>): { headers: { authorization: string } };
  close(): Promise<void>;
}

export async function openWatchStage(name: string): Promise<WatchStage> {
  const [peers, own] = await Promise.all([startPeers(), createTestDatabase(name)]);
  const lifecycle = new Lifecycle();
  const redis = openRedis({ url: inject("redis"), lifecycle });
  const database = new Database({ url: own.url, entities, applicationName: name });
  const running = new Set<Lifecycle>();
  return {
    peers,
    database,
    databaseUrl: own.url,
    start: (environment) => startInstance({ peers, url: own.url, running }, environment),
    add: async (recipients, { announced } = { announced: true }) => {
      const entries = recipients.map(entryFor);
      const source = { eventId: newId(), taskId: newId(), traceId: "" };
      await database.transactional(async (em) => {
        await addToInboxes(em, source, entries);
        if (announced) database.afterCommit(() => announceInboxes(redis, recipients), em);
      });
      return entries.map(({ notificationId }) => notificationId);
    },
    as: (userId, claims) => ({
      headers: { authorization: `Bearer ${peers.issuer.token({ sub: userId, ...claims })}` },
    }),
    close: async () => {
      await Promise.all([...running].map((each) => each.stop()));
      await database.close();
      await lifecycle.stop();
      await own.drop();
      await peers.close();
    },
  };
}

async function startInstance(
  { peers, url, running }: { peers: Peers; url: string; running: Set<Lifecycle> },
  environment: Record<string, string> = {},
): Promise<Instance> {
  const lifecycle = new Lifecycle();
  running.add(lifecycle);
  const { keyFile, jwksFile } = peers.identityFiles("notification");
  const config = readConfig({
    MESH_ADDRESS: peers.address,
    MESH_IDENTITY_KEY_FILE: keyFile,
    MESH_IDENTITY_JWKS_FILE: jwksFile,
    NOTIFICATION_DB_URL: url,
    PUSH_VAPID_KEY_FILE: newPushKeyFile(),
    WEBHOOK_KEY_SECRET_FILE: newSecretFile(),
    KAFKA_BROKERS: inject("kafka"),
    REDIS_URL: inject("redis"),
    // So long that nothing in a test arrives by polling, unless it asks for that.
    NOTIFICATION_HEARTBEAT: "60",
    ...environment,
  });
  const { port } = await startService(config, lifecycle);
  const address = `127.0.0.1:${port}`;
  const channel = new MeshChannel(address);
  return {
    address,
    client: createClient(NotificationService, channel, { identity: await peers.identity("gateway") }),
    stop: async () => {
      running.delete(lifecycle);
      await lifecycle.stop();
      channel.close();
    },
  };
}

function entryFor(recipientId: string): NewEntry {
  const id = newId();
  return { notificationId: id, recipientId, kind: "task_assigned", title: id, body: "" };
}

/** A stream that a test takes message by message. */
export function open({ client }: Instance, request: { cursor?: string }, as: { headers: { authorization: string } }) {
  const leaving = new AbortController();
  const stream = client.watchNotifications(request, { ...as, signal: leaving.signal })[Symbol.asyncIterator]();
  return {
    next: async (): Promise<WatchNotificationsResponse> => {
      const { value, done } = await stream.next();
      if (done) throw new Error("the stream ended");
      return value;
    },
    leave: async () => {
      leaving.abort();
      await stream.return?.().catch(() => {});
    },
  };
}

/** "created <id>", "updated <id>" or "quiet". */
export function told({ change }: WatchNotificationsResponse): string {
  return change.case === undefined ? "quiet" : `${change.case} ${change.value.notificationId}`;
}
