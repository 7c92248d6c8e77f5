import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { type Database, openDatabase } from "#kit/db/database.ts";
import { newId } from "#kit/id.ts";
import { Lifecycle } from "#kit/lifecycle.ts";
import { openBeside, openRedis, type Redis } from "#kit/redis/redis.ts";
import { startMetrics } from "#observability/metrics-sdk.ts";
import { putInInboxes } from "../../../consumers/inboxes.ts";
import { entities, migrations } from "../../../services/notification/db/mikro-orm.config.ts";
import { changedInboxes } from "../../../services/notification/events.ts";
import { createTestDatabase, type TestDatabase } from "../../_util/database.ts";
import { until } from "../../_util/until.ts";

let metrics: ReturnType<typeof startMetrics>;
let own: TestDatabase;
let database: Database;
let redis: Redis;
const lifecycle = new Lifecycle();

beforeAll(async () => {
  metrics = startMetrics({ name: "consumers", instanceId: "consumers-1" });
  own = await createTestDatabase("undone");
  database = await openDatabase({ url: own.url, entities, migrations, lifecycle, applicationName: "undone" });
  redis = openRedis({ url: inject("redis"), lifecycle });
});
afterAll(async () => {
  await lifecycle.stop();
  await own.drop();
  await metrics.stop();
});

const counted = async () =>
  Number(/^taskmesh_notification_created_total(?:\{[^}]*\})? (\d+)/m.exec(await metrics.render())?.[1] ?? 0);

it("notices are counted and announced once they are there, and not when their transaction is undone", async () => {
  const announced: string[] = [];
  const hearing = openBeside(redis, {});
  await hearing.subscribe(changedInboxes);
  hearing.on("message", (_channel, message) => announced.push(message));
  const context = { database, redis, deliveryTopic: "deliveries" };
  const put = (recipientId: string, end: () => void) =>
    database.transactional(async (em) => {
      const notice = { recipientId, kind: "task_assigned", title: "a", body: "", taskId: undefined } as const;
      await putInInboxes(context, em, newId(), [notice]);
      end();
    });
  const [undone, done] = [newId(), newId()];
  const fail = () => {
    throw new Error("undone by the test");
  };
  await expect(put(undone, fail)).rejects.toThrow();
  expect(await counted()).toBe(0);
  await put(done, () => {});
  expect(await counted()).toBe(1);
  // Redis hands on messages in the order in which they came.
  await until("the news", () => announced.includes(done), { everyMs: 10 });
  expect(announced).not.toContain(undone);
  hearing.disconnect();
});
