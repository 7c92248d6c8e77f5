import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addPushKey, dropOldPushKeys } from "../../../cli/runner/keys.ts";
import { newPushKeyFile } from "../../_util/push-keys.ts";
import { until } from "../../_util/until.ts";
import { assigned, openPushStage, type PushStage } from "./push-stage.ts";
import { record } from "./stack.ts";

const keyFile = newPushKeyFile();
let stage: PushStage;
beforeAll(async () => {
  stage = await openPushStage("push", keyFile);
  const { stack } = stage;
  await Promise.all([stack.start("notification"), stack.start("push", { retryDelaysMs: [50, 50, 50, 50] })]);
});
afterAll(() => stage?.close());

describe("a notification of somebody with browsers [notify.11]", () => {
  it("is pushed once to each of them, encrypted and signed, however often its events come", async () => {
    const { stack } = stage;
    const ben = stack.peers.addPerson();
    const browsers = [await stage.subscribe(ben.userId), await stage.subscribe(ben.userId)];
    const event = assigned(stack, ben.userId, "Buy milk");
    await stack.publish([event, event]);
    expect(await stage.over(ben.userId)).toEqual([{ state: "sent", attempts: 1, failure: null }]);
    const asked = await stack.database.query<{ payload: Buffer; event_id: string }>(
      "SELECT payload, event_id FROM outbox_event WHERE key = $1",
      [ben.userId],
    );
    await stack.publish([
      event,
      ...asked.map(({ payload, event_id: eventId }) =>
        record({ topic: stack.topics.deliveries, key: ben.userId, source: "notification", eventId }, payload),
      ),
      assigned(stack, ben.userId, "Buy bread"),
    ]);
    await stage.over(ben.userId, 2);
    for (const { messages, requests, subscription } of browsers) {
      expect(messages.map(({ text }) => text.title)).toEqual([
        "Somebody gave you a task: Buy milk",
        "Somebody gave you a task: Buy bread",
      ]);
      expect(requests).toBe(2);
      const [first] = messages;
      expect(first).toMatchObject({
        urgency: "normal",
        topic: first?.text.notificationId.replaceAll("-", ""),
        text: { type: "NOTIFICATION_TYPE_TASK_ASSIGNED", url: expect.stringContaining("https://mesh.example/tasks/") },
      });
      expect(first?.ttl).toBeGreaterThan(86_000);
      expect(asked.some(({ payload }) => payload.includes(new URL(subscription.endpoint).pathname))).toBe(false);
      const rows = await stage.subscriptions(ben.userId);
      expect(rows.some(({ sealed }) => sealed.includes(subscription.keys.auth))).toBe(false);
    }
  });

  it("asks for no push where there is no browser", async () => {
    const [ben, cleo] = [stage.stack.peers.addPerson(), stage.stack.peers.addPerson()];
    await stage.subscribe(cleo.userId);
    await stage.assign(ben.userId, "nothing");
    await stage.assign(cleo.userId, "something");
    await stage.over(cleo.userId);
    await until("the other's entry", async () => {
      const rows = await stage.stack.database.query("SELECT FROM notification WHERE recipient_id = $1", [ben.userId]);
      return rows.length === 1;
    });
    expect(await stage.deliveries(ben.userId)).toEqual([]);
  });
});

describe("a push service", () => {
  it.each([404, 410])("that answers %i hears no more of that browser", async (status) => {
    const ben = stage.stack.peers.addPerson();
    const [gone, here] = [await stage.subscribe(ben.userId), await stage.subscribe(ben.userId)];
    gone.answer = () => ({ status });
    await stage.assign(ben.userId, "one");
    expect(await stage.over(ben.userId)).toMatchObject([{ state: "sent", attempts: 1 }]);
    await stage.assign(ben.userId, "two");
    await stage.over(ben.userId, 2);
    expect([gone.requests, here.messages.length]).toEqual([1, 2]);
    expect(await stage.subscriptions(ben.userId)).toHaveLength(1);
    here.answer = () => ({ status });
    await stage.assign(ben.userId, "three");
    expect((await stage.over(ben.userId, 3)).at(-1)).toMatchObject({ state: "failed", failure: "no_subscription" });
    expect(await stage.subscriptions(ben.userId)).toEqual([]);
  });

  it("that is away gets the message later, and those that took it do not get it again", async () => {
    const ben = stage.stack.peers.addPerson();
    const [away, here] = [await stage.subscribe(ben.userId), await stage.subscribe(ben.userId)];
    away.answer = () => (away.requests <= 2 ? { status: 503 } : undefined);
    await stage.assign(ben.userId, "patience");
    expect(await stage.over(ben.userId)).toEqual([{ state: "sent", attempts: 3, failure: null }]);
    expect([away.requests, away.messages.length, here.requests]).toEqual([3, 1, 1]);
  });

  it("that wants to be left alone for an hour is", async () => {
    const ben = stage.stack.peers.addPerson();
    const busy = await stage.subscribe(ben.userId);
    busy.answer = () => ({ status: 429, headers: { "retry-after": "3600" } });
    await stage.assign(ben.userId, "later");
    expect(await stage.over(ben.userId)).toMatchObject([{ state: "failed", attempts: 5, failure: "postponed" }]);
    expect(busy.requests).toBe(1);
    const [{ retry_time: retryTime } = {}] = await stage.subscriptions(ben.userId);
    expect(retryTime?.getTime()).toBeGreaterThan(Date.now() + 3_000_000);
  });

  it("that has no room for a whole message gets a short one", async () => {
    const ben = stage.stack.peers.addPerson();
    const small = await stage.subscribe(ben.userId);
    small.answer = ({ length }) => (length > 1000 ? { status: 413 } : undefined);
    await stage.assign(ben.userId, "Buy a lot of milk");
    expect(await stage.over(ben.userId)).toMatchObject([{ state: "sent", attempts: 1 }]);
    expect(small.messages).toMatchObject([
      { text: { title: "Somebody gave you a task: Buy a lot of milk", body: "" } },
    ]);
  });

  it("that refuses a message for good is not asked again", async () => {
    const ben = stage.stack.peers.addPerson();
    const strict = await stage.subscribe(ben.userId);
    strict.answer = () => ({ status: 400 });
    await stage.assign(ben.userId, "no");
    expect(await stage.over(ben.userId)).toMatchObject([{ state: "failed", attempts: 1, failure: "push_400" }]);
    expect(strict.requests).toBe(1);
  });
});

it("a browser is reached by the key that it subscribed with for as long as it is there", async () => {
  const ben = stage.stack.peers.addPerson();
  const { pushKeys } = stage.stack.context;
  const old = await stage.subscribe(ben.userId);
  const before = pushKeys.newest().publicKey;
  addPushKey(keyFile);
  await until("the new key", () => pushKeys.newest().publicKey !== before);
  const fresh = await stage.subscribe(ben.userId);
  await stage.assign(ben.userId, "both");
  expect(await stage.over(ben.userId)).toMatchObject([{ state: "sent", attempts: 1 }]);
  expect([old.messages.length, fresh.messages.length]).toEqual([1, 1]);
  dropOldPushKeys(keyFile);
  await until("the old key to be gone", () => pushKeys.get(before) === undefined);
  await stage.assign(ben.userId, "one");
  await stage.over(ben.userId, 2);
  expect([old.requests, fresh.messages.length]).toEqual([1, 2]);
});
