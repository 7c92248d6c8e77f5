import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { WebSocket } from "ws";
import { openProducer } from "#kit/events/producer.ts";
import { MeshChannel } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openRedis } from "#kit/redis/redis.ts";
import { createContext } from "../../../services/notification/context.ts";
import { rpc } from "../../../services/notification/rpc/index.ts";
import { newPushKeyFile } from "../../_util/push-keys.ts";
import { openWatchStage, type WatchStage } from "../notification/watch-stage.ts";
import { type Edge, startEdge } from "./edge.ts";
import { fieldsOf, pieces, watchName, watchPath } from "./stream-clients.ts";

/** The gateway before the real handler and its database, in which several write. */
let edge: Edge;
let stage: WatchStage;
const lifecycle = new Lifecycle();

beforeAll(async () => {
  [edge, stage] = await Promise.all([startEdge(), openWatchStage("streams_resume")]);
  await stage.start();
  const redis = openRedis({ url: inject("redis"), lifecycle });
  const watch = { heartbeatMs: 60_000, limits: { total: 100, perPerson: 20 } };
  const producer = openProducer({ brokers: [inject("kafka")], clientId: "test", lifecycle });
  const push = { keyFile: newPushKeyFile() };
  const outbound = { allowHttp: false, allowedNetworks: [] };
  const webhook = { keySecret: randomBytes(32) };
  const alertPace = { everySeconds: 60, repeats: 0 };
  const channel = lifecycle.use("channel", new MeshChannel(stage.peers.address), (opened) => opened.close());
  const identity = await stage.peers.identity("notification");
  const parts = { database: stage.database, producer, redis, channel, identity, lifecycle };
  const context = createContext({ watch, push, outbound, webhook, alertPace }, parts);
  edge.handlers.set(watchName, rpc(context).watchNotifications as never);
});
afterAll(async () => {
  await edge?.close();
  await lifecycle.stop();
  await stage?.close();
});

type Change = { cursor: string; id: string | undefined };
type Open = (userId: string, cursor: string) => AsyncGenerator<Change>;

const token = (userId: string) => `Bearer ${edge.issuer.token({ sub: userId })}`;
const changeOf = (json: { cursor: string; created?: { notificationId: string } }): Change => ({
  cursor: json.cursor,
  id: json.created?.notificationId,
});

const byEvents: Open = async function* (userId, cursor) {
  const leaving = new AbortController();
  const headers: Record<string, string> = { accept: "text/event-stream", authorization: token(userId) };
  if (cursor !== "") headers["last-event-id"] = cursor;
  try {
    const response = await fetch(`${edge.url}${watchPath}`, { headers, signal: leaving.signal });
    for await (const text of pieces(response.body as ReadableStream<Uint8Array>, "\n\n")) {
      const { data } = fieldsOf(text);
      if (data !== undefined) yield changeOf(JSON.parse(data));
    }
  } finally {
    leaving.abort();
  }
};

const byLines: Open = async function* (userId, cursor) {
  const leaving = new AbortController();
  try {
    const response = await fetch(`${edge.url}${watchPath}?cursor=${cursor}`, {
      headers: { authorization: token(userId) },
      signal: leaving.signal,
    });
    for await (const text of pieces(response.body as ReadableStream<Uint8Array>, "\n")) {
      yield changeOf(JSON.parse(text).result);
    }
  } finally {
    leaving.abort();
  }
};

const bySocket: Open = async function* (userId, cursor) {
  const url = `${edge.url.replace("http", "ws")}${watchPath}?cursor=${cursor}`;
  const socket = new WebSocket(url, { headers: { authorization: token(userId) } });
  const changes: Change[] = [];
  let wake = () => {};
  socket.on("message", (data) => {
    changes.push(changeOf(JSON.parse(String(data)).result));
    wake();
  });
  try {
    await once(socket, "open");
    for (;;) {
      const change = changes.shift();
      if (change) yield change;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
    }
  } finally {
    socket.terminate();
  }
};

test.each([
  ["SSE, by Last-Event-ID", byEvents],
  ["NDJSON, by cursor", byLines],
  ["WebSocket, by cursor", bySocket],
])(
  "%s: a client that breaks off again and again misses nothing and hears nothing twice while four write [edge.03]",
  async (_form, open) => {
    const [userId, other] = [newId(), newId()];
    const first = open(userId, "");
    let cursor = (await first.next()).value?.cursor as string;
    await first.return(undefined);

    const count = 4 * 50;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let round = 0; round < 50; round += 1) await stage.add(writer % 2 === 0 ? [userId, other] : [other, userId]);
    });
    const seen: string[] = [];
    for (let stay = 1; seen.length < count; stay = (stay % 17) + 1) {
      let taken = 0;
      for await (const change of open(userId, cursor)) {
        cursor = change.cursor;
        if (change.id !== undefined) seen.push(change.id);
        if (++taken > stay || seen.length >= count) break;
      }
    }
    await Promise.all(writers);
    const rows = await stage.database.query<{ id: string }>(
      "SELECT notification_id AS id FROM notification WHERE recipient_id = $1 ORDER BY position",
      [userId],
      { name: "test-entries" },
    );
    expect(seen).toEqual(rows.map(({ id }) => id));
  },
);
