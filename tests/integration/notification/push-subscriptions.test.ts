import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { Code } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { addPushKey, dropOldPushKeys } from "../../../cli/runner/keys.ts";
import { PushBrowser } from "../../_util/push-browser.ts";
import { newPushKeyFile } from "../../_util/push-keys.ts";
import { until } from "../../_util/until.ts";
import { type Instance, openWatchStage, type WatchStage } from "./watch-stage.ts";

const keyFile = newPushKeyFile();
let stage: WatchStage;
let instance: Instance;
beforeAll(async () => {
  stage = await openWatchStage("push_subscriptions");
  instance = await stage.start({ PUSH_VAPID_KEY_FILE: keyFile });
});
afterAll(() => stage?.close());

const newBrowser = () => ({ endpoint: `https://push.example.org/${newId()}`, keys: new PushBrowser().keys });
type Input = ReturnType<typeof newBrowser> & { pushKey?: string; expirationTime?: number };

/** Somebody with an account, and their calls. */
function person() {
  const as = stage.as(newId());
  const { client } = instance;
  return {
    create: async (input: Input) => (await client.createPushSubscription(input, as)).pushSubscription,
    list: async () => (await client.listPushSubscriptions({}, as)).pushSubscriptions,
    remove: (pushSubscriptionId = "") => client.deletePushSubscription({ pushSubscriptionId }, as),
    key: async () => (await client.getPushKey({}, as)).publicKey,
  };
}
const violations = (...fields: string[]) => ({
  code: Code.INVALID_ARGUMENT,
  fieldViolations: fields.map((field) => expect.objectContaining({ field })),
});
const notFound = { code: Code.NOT_FOUND, reason: ErrorReason.PUSH_SUBSCRIPTION_NOT_FOUND };

describe("push subscriptions", () => {
  it("are made, listed and deleted by their owner, and tell neither endpoint nor keys", async () => {
    const ada = person();
    const [one, other] = [newBrowser(), newBrowser()];
    const expirationTime = Date.now() + 3_600_000;
    const first = await ada.create({ ...one, expirationTime });
    const second = await ada.create(other);
    expect(first).toMatchObject({ pushService: "https://push.example.org", pushKey: await ada.key() });
    expect(first?.expireTime?.seconds).toBe(BigInt(Math.floor(expirationTime / 1000)));
    const listed = await ada.list();
    expect(listed).toEqual([second, first]);
    expect(JSON.stringify(listed, (_, value) => (typeof value === "bigint" ? `${value}` : value))).not.toContain(
      one.endpoint,
    );
    await ada.remove(first?.pushSubscriptionId);
    expect(await ada.list()).toEqual([second]);
    await expect(ada.remove(first?.pushSubscriptionId)).rejects.toMatchObject(notFound);
    const [row] = await stage.database.query<{ kept: string }>(
      "SELECT push_subscription::text AS kept FROM push_subscription",
    );
    const kept = Buffer.from(/"?\\\\x([0-9a-f]{100,})/.exec(row?.kept ?? "")?.[1] ?? "", "hex");
    expect(kept.length).toBeGreaterThan(100);
    for (const secret of [other.endpoint, other.keys.auth]) expect(kept.includes(secret)).toBe(false);
  });

  it("are one for a browser, however often it subscribes, and of who used it last", async () => {
    const [ada, bob] = [person(), person()];
    const browser = newBrowser();
    const first = await ada.create(browser);
    const again = await ada.create({ ...browser, keys: { ...browser.keys, auth: `${browser.keys.auth}==` } });
    expect(again?.pushSubscriptionId).toBe(first?.pushSubscriptionId);
    expect(await ada.list()).toHaveLength(1);
    await bob.create(browser);
    expect([(await ada.list()).length, (await bob.list()).length]).toEqual([0, 1]);
  });

  it("are not taken from somebody by who only knows the endpoint", async () => {
    const [ada, bob] = [person(), person()];
    const browser = newBrowser();
    const made = await ada.create(browser);
    await bob.create({ ...browser, keys: new PushBrowser().keys });
    expect(await ada.list()).toEqual([made]);
    await expect(bob.remove(made?.pushSubscriptionId)).rejects.toMatchObject(notFound);
    await expect(bob.remove(newId())).rejects.toMatchObject(notFound);
  });

  it("are 20 at most, however many are made at once", async () => {
    const ada = person();
    for (let count = 0; count < 18; count += 1) await ada.create(newBrowser());
    const made = await Promise.allSettled(Array.from({ length: 4 }, () => ada.create(newBrowser())));
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    for (const { reason } of made.filter((each) => each.status === "rejected")) {
      expect(reason).toMatchObject({ code: Code.FAILED_PRECONDITION, reason: ErrorReason.LIMIT_REACHED });
    }
    expect(await ada.list()).toHaveLength(20);
  });

  it.each([
    ["endpoint", { endpoint: "" }],
    ["endpoint", { endpoint: "no url" }],
    ["endpoint", { endpoint: "http://push.example.org/1" }],
    ["endpoint", { endpoint: "https://127.0.0.1/1" }],
    ["endpoint", { endpoint: "https://[::ffff:10.0.0.1]/1" }],
    ["endpoint", { endpoint: "https://169.254.169.254/latest" }],
    ["endpoint", { endpoint: "https://user:word@push.example.org/1" }],
    ["endpoint", { endpoint: `https://push.example.org/${"x".repeat(2048)}` }],
    ["keys.p256dh", { keys: { ...newBrowser().keys, p256dh: "A".repeat(87) } }],
    ["keys.p256dh", { keys: { ...newBrowser().keys, p256dh: "short" } }],
    ["keys.auth", { keys: { ...newBrowser().keys, auth: "short" } }],
    ["keys", { keys: undefined as unknown as ReturnType<typeof newBrowser>["keys"] }],
    ["push_key", { pushKey: "another" }],
    ["expiration_time", { expirationTime: -1 }],
    ["expiration_time", { expirationTime: Number.NaN }],
    ["expiration_time", { expirationTime: Number.POSITIVE_INFINITY }],
  ])("with a wrong %s are not made", async (field, wrong) => {
    await expect(person().create({ ...newBrowser(), ...wrong })).rejects.toMatchObject(violations(field));
  });

  it("that are past their end are not there", async () => {
    const ada = person();
    await ada.create({ ...newBrowser(), expirationTime: 1 });
    expect(await ada.list()).toEqual([]);
  });
});

it("a new key is for new subscriptions, and one that is taken away ends those that were made with it", async () => {
  const ada = person();
  const before = await ada.key();
  const old = await ada.create(newBrowser());
  addPushKey(keyFile);
  const now = await until("the new key", async () => {
    const key = await ada.key();
    return key === before ? undefined : key;
  });
  const late = await ada.create({ ...newBrowser(), pushKey: before });
  const fresh = await ada.create({ ...newBrowser(), pushKey: `${now}=` });
  expect(await ada.list()).toEqual([fresh, late, old]);
  expect([fresh, late, old].map((made) => made?.pushKey)).toEqual([now, before, before]);
  dropOldPushKeys(keyFile);
  await until("the old ones to be gone", async () => (await ada.list()).length === 1);
  expect(await ada.list()).toEqual([fresh]);
  await expect(ada.create({ ...newBrowser(), pushKey: before })).rejects.toMatchObject(violations("push_key"));
});
