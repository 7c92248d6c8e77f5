import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Webhook_State } from "#gen/notification/v1/webhook_pb.js";
import type { ServiceError } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { type Instance, openWatchStage, type WatchStage } from "./watch-stage.ts";

let stage: WatchStage;
let client: Instance["client"];
let as: ReturnType<WatchStage["as"]>;

beforeAll(async () => {
  stage = await openWatchStage("webhook_calls");
  ({ client } = await stage.start());
});
afterAll(() => stage?.close());
beforeEach(() => {
  as = stage.as(newId());
});

const url = "https://hooks.example.org/a?token=secret-of-the-url";
const make = async (webhook: object = {}) => client.createWebhook({ webhook: { url, ...webhook } }, as);
const idOf = async (webhook?: object) => (await make(webhook)).webhook?.webhookId ?? "";

async function failure(work: Promise<unknown>): Promise<Pick<ServiceError, "code" | "reason" | "fieldViolations">> {
  const error = await work.then(
    () => undefined,
    (thrown: ServiceError) => thrown,
  );
  if (error === undefined) throw new Error("it did not fail");
  return error;
}

describe("a person's webhooks", () => {
  it("are kept as they were given, with a secret that is shown once", async () => {
    const { webhook, secret } = await make({ displayName: "mine", types: [1, 4] });
    expect(secret).toMatch(/^whsec_[\w+/]{43}=$/);
    expect(webhook).toMatchObject({ url, displayName: "mine", types: [1, 4], state: Webhook_State.ENABLED });
    const { webhooks } = await client.listWebhooks({}, as);
    expect(webhooks).toEqual([webhook]);
    const got = await client.getWebhook({ webhookId: webhook?.webhookId }, as);
    expect(got.webhook).toEqual(webhook);
    expect(JSON.stringify(got, (_, value) => (typeof value === "bigint" ? `${value}` : value))).not.toContain(secret);
  });

  it("are sealed in the database, and so are the answers that are kept for a key", async () => {
    const headers = { ...as.headers, "idempotency-key": newId() };
    const create = () => client.createWebhook({ webhook: { url } }, { headers });
    const [first, second] = [await create(), await create()];
    expect(second).toEqual(first);
    const rows = await stage.database.query<{ all: string }>(
      `SELECT encode(url || secret, 'escape') AS all FROM webhook
       UNION ALL SELECT encode(response || request_hash, 'escape') FROM idempotency_key`,
      [],
      { name: "test-sealed" },
    );
    expect(rows.length).toBeGreaterThan(1);
    for (const { all } of rows) for (const text of [first.secret, "secret-of-the-url"]) expect(all).not.toContain(text);
  });

  it("change by their mask", async () => {
    const webhookId = await idOf({ displayName: "a", types: [1] });
    const change = (webhook: object, paths: string[] = []) =>
      client.updateWebhook({ webhook: { webhookId, ...webhook }, updateMask: { paths } }, as);
    expect((await change({ displayName: "b" })).webhook).toMatchObject({ displayName: "b", types: [1], url });
    expect((await change({}, ["types", "display_name"])).webhook).toMatchObject({ displayName: "", types: [], url });
    expect((await change({ state: Webhook_State.DISABLED })).webhook).toMatchObject({ state: Webhook_State.DISABLED });
    expect(await failure(change({}, ["secret"]))).toMatchObject({ fieldViolations: [{ field: "update_mask" }] });
    const { etag } = (await client.getWebhook({ webhookId }, as)).webhook ?? {};
    await change({ displayName: "c" });
    expect(await failure(change({ displayName: "d", etag }))).toMatchObject({ code: 10 });
  });

  it("are ten at most", async () => {
    for (let made = 0; made < 10; made += 1) await make();
    expect(await failure(make())).toMatchObject({ code: 9 });
    await client.deleteWebhook({ webhookId: (await client.listWebhooks({}, as)).webhooks[0]?.webhookId }, as);
    await make();
  });

  it("are nobody else's: somebody else's and one that is not there answer alike", async () => {
    const theirs = await idOf();
    const other = stage.as(newId());
    const calls = [theirs, newId()].map((webhookId) => [
      client.getWebhook({ webhookId }, other),
      client.updateWebhook({ webhook: { webhookId, displayName: "x" } }, other),
      client.rotateWebhookSecret({ webhookId }, other),
      client.testWebhook({ webhookId }, other),
      client.listWebhookDeliveries({ webhookId }, other),
      client.replayWebhookDeliveries({ webhookId, which: { case: "webhookDeliveryId", value: newId() } }, other),
      client.deleteWebhook({ webhookId }, other),
    ]);
    for (const refusal of await Promise.all(calls.flat().map(failure))) {
      expect(refusal).toMatchObject({ code: 5, message: "no such webhook" });
    }
    const which = { case: "webhookDeliveryId", value: newId() } as const;
    expect(await failure(client.replayWebhookDeliveries({ webhookId: theirs, which }, as))).toMatchObject({ code: 5 });
  });

  it.each([
    ["http://hooks.example.org/", "must be a URL with https"],
    ["https://user:password@hooks.example.org/", "must not hold a user name or a password"],
    ["https://hooks.example.org:25/", "must have the port 80, 443 or one from 1024 on"],
    ["https://127.1/", "must lead to an address of the public Internet"],
    ["https://[::ffff:10.0.0.1]/", "must lead to an address of the public Internet"],
    ["hooks.example.org", "must be a URL"],
    ["", "must be a URL"],
  ])("do not lead to %j", async (wrong, description) => {
    const refusal = { code: 3, fieldViolations: [{ field: "webhook.url", description }] };
    expect(await failure(make({ url: wrong }))).toMatchObject(refusal);
    const webhook = { webhookId: await idOf(), url: wrong };
    expect(await failure(client.updateWebhook({ webhook, updateMask: { paths: ["url"] } }, as))).toMatchObject(refusal);
  });

  it("cannot be put in a state that only we know of, nor told of what there is not", async () => {
    expect(await failure(make({ state: Webhook_State.FAILING }))).toMatchObject({
      fieldViolations: [{ field: "webhook.state" }],
    });
    expect(await failure(make({ types: [0] }))).toMatchObject({ code: 3 });
    expect(await failure(make({ types: [1, 1] }))).toMatchObject({ code: 3 });
  });

  it("list what they were told page by page, the newest first", async () => {
    const webhookId = await idOf();
    for (let told = 0; told < 5; told += 1) await client.testWebhook({ webhookId }, as);
    const first = await client.listWebhookDeliveries({ webhookId, pageSize: 3 }, as);
    const { nextPageToken: pageToken } = first;
    const second = await client.listWebhookDeliveries({ webhookId, pageSize: 3, pageToken }, as);
    const ids = [...first.webhookDeliveries, ...second.webhookDeliveries].map(
      ({ webhookDeliveryId }) => webhookDeliveryId,
    );
    expect(ids.length).toBe(5);
    expect(ids).toEqual(ids.toSorted().reverse());
    expect(second.nextPageToken).toBe("");
  });
});
