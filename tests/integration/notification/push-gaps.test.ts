import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, it } from "vitest";
import { newPushKeyFile } from "../../_util/push-keys.ts";
import { until } from "../../_util/until.ts";
import { openPushStage, type PushStage } from "./push-stage.ts";
import { from } from "./settings.ts";
import { groupName } from "./stack.ts";

const pushKeyFile = newPushKeyFile();
const children: ChildProcess[] = [];
let stage: PushStage;
let blocker: pg.Client;
/** One of each test's own, so that none waits for the members that another killed. */
let group = "";

beforeAll(async () => {
  stage = await openPushStage("push-gaps", pushKeyFile);
  await stage.stack.start("notification");
  blocker = new pg.Client({ connectionString: stage.stack.databaseUrl });
  await blocker.connect();
});
beforeEach(() => {
  group = groupName(`${stage.stack.id}-${randomBytes(2).toString("hex")}`, "push");
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(async () => {
  await blocker?.end();
  await stage?.close();
});

async function startProcess(): Promise<ChildProcess> {
  const { stack, service } = stage;
  const options = {
    url: stack.databaseUrl,
    broker: stack.brokers[0],
    group,
    topic: stack.topics.deliveries,
    name: "push",
    pushKeyFile,
    ...stack.peers.identityFiles("consumers"),
    mesh: stack.peers.address,
    smtpUrl: stack.mailbox.url,
    redisUrl: inject("redis"),
    fromAddress: from.address,
  };
  const child = spawn(process.execPath, ["tests/integration/notification/group-process.ts", JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_EXTRA_CA_CERTS: service.certFile },
  });
  children.push(child);
  await once(child.stdout, "data");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

/** As if the time had passed for which the dead process had taken the deliveries up. */
const expireClaims = () => blocker.query("UPDATE delivery SET claim_expire_time = now() WHERE state = 'sending'");

it("a message that was taken when the process died before it could say so takes the place of itself", async () => {
  const ben = stage.stack.peers.addPerson();
  const browser = await stage.subscribe(ben.userId);
  browser.answer = async () => {
    await blocker.query("BEGIN");
    await blocker.query("SELECT FROM delivery FOR UPDATE");
    return undefined;
  };
  const first = await startProcess();
  await stage.assign(ben.userId, "once");
  await until("the first copy", () => browser.messages.length === 1);
  await kill(first);
  await blocker.query("ROLLBACK");
  browser.answer = () => undefined;
  expect(await stage.deliveries(ben.userId)).toMatchObject([{ state: "sending", attempts: 1 }]);

  await expireClaims();
  await startProcess();
  expect(await stage.over(ben.userId)).toMatchObject([{ state: "sent", attempts: 2 }]);
  expect(browser.messages).toHaveLength(2);
  expect(browser.shown()).toHaveLength(1);
  expect(new Set(browser.messages.map(({ text }) => text.notificationId)).size).toBe(1);
});

it("a browser that took a message is not sent it again when the process died on the way to another", async () => {
  const ben = stage.stack.peers.addPerson();
  const [quick, slow] = [await stage.subscribe(ben.userId), await stage.subscribe(ben.userId)];
  slow.answer = () => new Promise(() => {});
  const first = await startProcess();
  await stage.assign(ben.userId, "each once");
  await until("one of the two to be noted", async () => {
    const { rows } = await blocker.query("SELECT FROM delivery WHERE cardinality(reached) = 1");
    return rows.length === 1 && slow.requests === 1;
  });
  await kill(first);
  slow.answer = () => undefined;

  await expireClaims();
  await startProcess();
  expect(await stage.over(ben.userId)).toMatchObject([{ state: "sent", attempts: 2 }]);
  expect([quick.requests, slow.requests]).toEqual([1, 2]);
  expect([quick.messages.length, slow.messages.length]).toEqual([1, 1]);
});
