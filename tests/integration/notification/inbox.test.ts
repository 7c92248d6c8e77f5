import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { NotificationService } from "#gen/notification/v1/notification_service_pb.js";
import { Database, schemaDrift } from "#kit/db/database.ts";
import { Code, type ServiceError } from "#kit/errors.ts";
import { type Client, createClient, MeshChannel } from "#kit/grpc/client.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { readConfig } from "../../../services/notification/config.ts";
import { addToInboxes, type NewEntry } from "../../../services/notification/db/inbox.repository.ts";
import { entities } from "../../../services/notification/db/mikro-orm.config.ts";
import { startService } from "../../../services/notification/service.ts";
import { createTestDatabase, type TestDatabase } from "../../_util/database.ts";
import { newPushKeyFile, newSecretFile } from "../../_util/push-keys.ts";
import { type Peers, startPeers } from "./peers.ts";

let peers: Peers;
let testDatabase: TestDatabase;
let database: Database;
let client: Client<typeof NotificationService>;
const lifecycle = new Lifecycle();

beforeAll(async () => {
  [peers, testDatabase] = await Promise.all([startPeers(), createTestDatabase("inbox")]);
  const { keyFile, jwksFile } = peers.identityFiles("notification");
  const { port } = await startService(
    readConfig({
      MESH_ADDRESS: peers.address,
      MESH_IDENTITY_KEY_FILE: keyFile,
      MESH_IDENTITY_JWKS_FILE: jwksFile,
      NOTIFICATION_DB_URL: testDatabase.url,
      PUSH_VAPID_KEY_FILE: newPushKeyFile(),
      WEBHOOK_KEY_SECRET_FILE: newSecretFile(),
      KAFKA_BROKERS: inject("kafka"),
      REDIS_URL: inject("redis"),
    }),
    lifecycle,
  );
  const channel = lifecycle.use("channel", new MeshChannel(`127.0.0.1:${port}`), (opened) => opened.close());
  client = createClient(NotificationService, channel, { identity: await peers.identity("gateway") });
  database = new Database({ url: testDatabase.url, entities, applicationName: "inbox test" });
});

afterAll(async () => {
  await database?.close();
  await lifecycle.stop();
  await testDatabase?.drop();
  await peers?.close();
});

let recipientId: string;
let as: { headers: { authorization: string } };

beforeEach(() => {
  recipientId = newId();
  as = signedIn(recipientId);
});

function signedIn(userId: string) {
  return { headers: { authorization: `Bearer ${peers.issuer.token({ sub: userId })}` } };
}

/** One entry for each of the recipients, of one event. */
async function add(recipients: string[], title: string): Promise<void> {
  const entries = recipients.map(
    (id): NewEntry => ({
      notificationId: newId(),
      recipientId: id,
      kind: "task_assigned",
      title,
      body: "",
    }),
  );
  const source = { eventId: newId(), taskId: newId(), traceId: "" };
  await database.transactional((em) => addToInboxes(em, source, entries));
}

async function fill(count: number): Promise<void> {
  for (let entry = 1; entry <= count; entry += 1) await add([recipientId], `entry ${entry}`);
}

const titles = (notifications: { title: string }[]) => notifications.map(({ title }) => title);

describe("ListNotifications", () => {
  it("answers newest first, page by page, without gap or repeat while new entries arrive", async () => {
    await fill(5);
    const first = await client.listNotifications({ pageSize: 2 }, as);
    expect(titles(first.notifications)).toEqual(["entry 5", "entry 4"]);
    await add([recipientId], "entry 6");
    const second = await client.listNotifications({ pageSize: 2, pageToken: first.nextPageToken }, as);
    expect(titles(second.notifications)).toEqual(["entry 3", "entry 2"]);
    const third = await client.listNotifications({ pageSize: 2, pageToken: second.nextPageToken }, as);
    expect(titles(third.notifications)).toEqual(["entry 1"]);
    expect(third.nextPageToken).toBe("");
  });

  it("answers what the entry says", async () => {
    await fill(1);
    const { notifications } = await client.listNotifications({}, as);
    expect(notifications).toMatchObject([{ type: 1, title: "entry 1", body: "", traceId: "" }]);
    expect(notifications[0]?.readTime).toBeUndefined();
    expect(Number(notifications[0]?.createTime?.seconds)).toBeGreaterThan(1.7e9);
  });

  it("leaves out what is read, if asked", async () => {
    await fill(3);
    const { notifications } = await client.listNotifications({}, as);
    await client.markRead({ notificationId: notifications[1]?.notificationId }, as);
    const unread = await client.listNotifications({ unreadOnly: true }, as);
    expect(titles(unread.notifications)).toEqual(["entry 3", "entry 1"]);
  });

  it("takes no token of another list, of another person, or of its own making", async () => {
    await fill(3);
    const { nextPageToken } = await client.listNotifications({ pageSize: 1 }, as);
    const refused = { code: Code.INVALID_ARGUMENT, fieldViolations: [{ field: "page_token" }] };
    const altered = `${nextPageToken.slice(0, -2)}${nextPageToken.endsWith("AA") ? "BB" : "AA"}`;
    await expect(client.listNotifications({ pageToken: altered }, as)).rejects.toMatchObject(refused);
    await expect(client.listNotifications({ pageToken: nextPageToken, unreadOnly: true }, as)).rejects.toMatchObject(
      refused,
    );
    await expect(client.listNotifications({ pageToken: nextPageToken }, signedIn(newId()))).rejects.toMatchObject(
      refused,
    );
  });

  it("shows nobody the inbox of another", async () => {
    await fill(1);
    expect((await client.listNotifications({}, signedIn(newId()))).notifications).toEqual([]);
    await expect(client.listNotifications({})).rejects.toMatchObject({ code: Code.UNAUTHENTICATED });
  });
});

describe("MarkRead", () => {
  it("keeps the first time, however often it is called", async () => {
    await fill(1);
    const { notifications } = await client.listNotifications({}, as);
    const notificationId = notifications[0]?.notificationId;
    const first = await client.markRead({ notificationId }, as);
    expect(first.notification?.readTime).toBeDefined();
    const second = await client.markRead({ notificationId }, as);
    expect(second.notification).toEqual(first.notification);
    expect(await client.getUnreadCount({}, as)).toMatchObject({ unreadCount: 0, revision: 2n });
  });

  it("answers NOT_FOUND for an entry of another and for one that does not exist, and changes nothing", async () => {
    await fill(1);
    const { notifications } = await client.listNotifications({}, as);
    const refused = { code: Code.NOT_FOUND, reason: ErrorReason.NOTIFICATION_NOT_FOUND };
    const notificationId = notifications[0]?.notificationId;
    await expect(client.markRead({ notificationId }, signedIn(newId()))).rejects.toMatchObject(refused);
    await expect(client.markRead({ notificationId: newId() }, as)).rejects.toMatchObject(refused);
    expect(await client.getUnreadCount({}, as)).toMatchObject({ unreadCount: 1, revision: 1n });
  });
});

describe("GetUnreadCount", () => {
  it("answers 0 for somebody without an inbox", async () => {
    expect(await client.getUnreadCount({}, as)).toMatchObject({ unreadCount: 0, revision: 0n });
  });

  it("never drifts from the entries while 200 changes of three inboxes run at once", async () => {
    const people = [newId(), newId(), newId()];
    const random = seeded(7);
    const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
    await add(people, "first");

    const operation = async (): Promise<void> => {
      const who = signedIn(pick(people));
      const dice = random();
      if (dice < 0.5)
        return add(
          people.filter(() => random() < 0.7).toSorted(() => random() - 0.5),
          "more",
        );
      const { notifications } = await client.listNotifications({ unreadOnly: dice < 0.8 }, who);
      if (notifications.length === 0) return;
      await client.markRead({ notificationId: pick(notifications.slice(0, 3)).notificationId }, who);
    };
    await Promise.all(Array.from({ length: 200 }, () => patiently(operation)));

    for (const id of people) {
      const { unreadCount, revision } = await client.getUnreadCount({}, signedIn(id));
      const [counted] = await database.query<{ unread: bigint; entries: bigint; read: bigint }>(
        `SELECT count(*) FILTER (WHERE read_time IS NULL) AS unread, count(*) AS entries, count(read_time) AS read
         FROM notification WHERE recipient_id = $1`,
        [id],
        { name: "test-count" },
      );
      expect({ id, unreadCount: BigInt(unreadCount) }).toEqual({ id, unreadCount: counted?.unread });
      expect(revision).toBe((counted?.entries ?? 0n) + (counted?.read ?? 0n));
      expect(counted?.read).toBeGreaterThan(0n);
    }
  });
});

it("has the tables that its entities say", async () => {
  expect(await schemaDrift(database)).toBe("");
});

/** A crowd before the pool is told to come back, as a client would; two changes in each other's way are a fault. */
async function patiently(operation: () => Promise<void>): Promise<void> {
  const busy: unknown[] = [Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED];
  await operation().catch((error: ServiceError) => {
    if (!busy.includes(error.code)) throw error;
    return patiently(operation);
  });
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
