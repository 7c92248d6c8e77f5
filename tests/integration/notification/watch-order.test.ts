import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import {
  WatchNotificationsRequestSchema,
  WatchNotificationsResponseSchema,
} from "#gen/notification/v1/notification_service_pb.js";
import { openProducer } from "#kit/events/producer.ts";
import { MeshChannel } from "#kit/grpc/client.ts";
import type { CallContext } from "#kit/grpc/service.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { createContext } from "../../../services/notification/context.ts";
import { watchNotifications } from "../../../services/notification/rpc/watch-notifications.ts";
import { newPushKeyFile } from "../../_util/push-keys.ts";
import { type Instance, open, openWatchStage, told, type WatchStage } from "./watch-stage.ts";

let stage: WatchStage;
let instances: Instance[];

beforeAll(async () => {
  stage = await openWatchStage("watch_order");
  instances = [await stage.start(), await stage.start()];
});
afterAll(() => stage?.close());

it("every change comes once and in the order of the commits, over broken streams, while several write at once", async () => {
  const people = [newId(), newId(), newId()];
  const perWriter = 40;
  const started = people.map((userId) => open(instances[0] as Instance, {}, stage.as(userId)));
  const cursors = await Promise.all(started.map(async (watch) => (await watch.next()).cursor));
  await Promise.all(started.map((watch) => watch.leave()));
  expect(new Set(cursors).size).toBe(3);

  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let round = 0; round < perWriter; round += 1) {
      // Every order of the recipients, so that the writers meet at the locks of the inboxes.
      const ids = await stage.add(people.map((_person, index) => people[(index + writer) % 3] as string));
      if (round % 3 !== 0) continue;
      const reader = people[writer % 3] as string;
      await (instances[writer % 2] as Instance).client.markRead({ notificationId: ids[0] }, stage.as(reader));
      await delay(writer);
    }
  });
  const reads = Math.ceil(perWriter / 3);
  const expected = people.map((_person, index) => 4 * perWriter + (index === 0 ? 2 : 1) * reads);
  const [seen] = await Promise.all([
    Promise.all(
      people.map((userId, index) => collectFrom(cursors[index] as string, userId, expected[index] as number)),
    ),
    Promise.all(writers),
  ]);

  for (const [index, userId] of people.entries()) {
    const rows = await stage.database.query<{ change: string }>(
      `SELECT change FROM (
         SELECT position AS revision, 'created ' || notification_id AS change FROM notification WHERE recipient_id = $1
         UNION ALL
         SELECT read_revision, 'updated ' || notification_id FROM notification
         WHERE recipient_id = $1 AND read_revision IS NOT NULL
       ) changes ORDER BY revision`,
      [userId],
      { name: "test-changes" },
    );
    expect(seen[index]).toEqual(rows.map(({ change }) => change));
  }
});

/** Takes changes until there are so many, coming back by the last cursor at another instance again and again. */
async function collectFrom(cursor: string, userId: string, count: number): Promise<string[]> {
  const changes: string[] = [];
  let last = cursor;
  for (let stay = 1; changes.length < count; stay = (stay % 13) + 1) {
    const watch = open(instances[stay % 2] as Instance, { cursor: last }, stage.as(userId));
    for (let taken = 0; taken <= stay && changes.length < count; taken += 1) {
      const message = await watch.next();
      last = message.cursor;
      if (told(message) !== "quiet") changes.push(told(message));
    }
    await watch.leave();
  }
  return changes;
}

it("a change that is committed and announced while the inbox is being read is told without waiting for another", async () => {
  const lifecycle = new Lifecycle();
  const userId = newId();
  const redis = openRedis({ url: inject("redis"), lifecycle });
  const watch = { heartbeatMs: 60_000, limits: { total: 1, perPerson: 1 } };
  const producer = openProducer({ brokers: [inject("kafka")], clientId: "test", lifecycle });
  const push = { keyFile: newPushKeyFile() };
  const outbound = { allowHttp: false, allowedNetworks: [] };
  const webhook = { keySecret: randomBytes(32) };
  const alertPace = { everySeconds: 60, repeats: 0 };
  const channel = lifecycle.use("channel", new MeshChannel(stage.peers.address), (opened) => opened.close());
  const identity = await stage.peers.identity("notification");
  const parts = { database: stage.database, producer, redis, channel, identity, lifecycle };
  const context = createContext({ watch, push, outbound, webhook, alertPace }, parts);
  const added: string[] = [];
  let reads = 0;
  const query = async (...read: Parameters<typeof stage.database.query>) => {
    const rows = await stage.database.query(...read);
    reads += 1;
    // The first read is the one of the beginning.
    if (reads === 2) {
      added.push(...(await stage.add([userId], { announced: false })));
      context.watchers.wake(userId);
    }
    return rows;
  };
  const database = Object.create(stage.database, { query: { value: query } });
  const leaving = new AbortController();
  const call = { userId, signal: leaving.signal } as CallContext;
  const stream = watchNotifications({ ...context, database })(create(WatchNotificationsRequestSchema), call);
  const heard: string[] = [];
  for await (const message of stream) {
    heard.push(told(create(WatchNotificationsResponseSchema, message)));
    if (heard.length === 2) break;
  }
  expect(heard).toEqual(["quiet", `created ${added[0]}`]);
  await lifecycle.stop();
});
