import { afterAll, beforeAll, expect, it } from "vitest";
import { migrate } from "#kit/db/migrate.ts";
import { newId } from "#kit/id.ts";
import { migrations } from "../../../services/notification/db/mikro-orm.config.ts";
import { open, openWatchStage, told, type WatchStage } from "./watch-stage.ts";

let stage: WatchStage;

beforeAll(async () => {
  stage = await openWatchStage("watch_migration");
});
afterAll(() => stage?.close());

const write = `INSERT INTO notification
  (notification_id, recipient_id, source_event_id, position, kind, title, body, read_time, create_time, trace_id)
  VALUES ($1, $2, $1, $3, 'task_assigned', '', '', CASE WHEN $4 THEN now() END, now(), '')`;

it("an inbox of the version before is watched from where it is, and may still be written by that version", async () => {
  const before = migrations.findIndex(({ name }) => name.endsWith("_read_revision"));
  await migrate({ connectionString: stage.databaseUrl }, migrations.slice(0, before));
  const [userId, unread, read, late] = [newId(), newId(), newId(), newId()];
  await stage.database.query(write, [unread, userId, 1, false], { name: "test-old-entry" });
  await stage.database.query(write, [read, userId, 2, true], { name: "test-old-entry" });
  await stage.database.query("INSERT INTO inbox_state VALUES ($1, 1, 3, 0)", [userId], { name: "test-old-state" });

  const instance = await stage.start();
  const as = stage.as(userId);
  const watch = open(instance, {}, as);
  expect(await watch.next()).toMatchObject({ unreadCount: 1, revision: 3n });

  await stage.database.query(write, [late, userId, 4, false], { name: "test-old-entry" });
  await stage.database.query(
    "UPDATE inbox_state SET unread_count = 2, revision = 4 WHERE recipient_id = $1",
    [userId],
    { name: "test-old-count" },
  );
  await instance.client.markRead({ notificationId: unread }, as);
  const messages = [await watch.next(), await watch.next()];
  expect(messages.map(told)).toEqual([`created ${late}`, `updated ${unread}`]);
  expect(messages.at(-1)).toMatchObject({ unreadCount: 1, revision: 5n });
  await watch.leave();
});
