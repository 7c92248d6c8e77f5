import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { until } from "../../_util/until.ts";
import { from } from "./settings.ts";
import { groupName, openStack, type Stack, taskEvent } from "./stack.ts";

let stack: Stack;
let blocker: pg.Client;
const children: ChildProcess[] = [];

beforeEach(async () => {
  stack = await openStack("gaps");
  blocker = new pg.Client({ connectionString: stack.databaseUrl });
  await blocker.connect();
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await blocker.end();
  await stack.close();
});

/** An event for somebody, in that person's inbox, with its mail not sent yet. */
async function somebodyHears(title: string): Promise<{ userId: string; email: string }> {
  const ben = stack.peers.addPerson();
  await stack.publish([
    taskEvent(stack.topics.events, {
      title,
      memberIds: [ben.userId],
      fact: { case: "taskCreated", value: { assigneeIds: [ben.userId] } },
    }),
  ]);
  return ben;
}

/** Nobody can record the end of a delivery while the test holds its row. */
const holdDeliveries = () => blocker.query("BEGIN; SELECT 1 FROM delivery FOR UPDATE");
const releaseDeliveries = () => blocker.query("ROLLBACK");

const deliveries = () =>
  stack.database.query<{ state: string; attempts: number }>("SELECT state, attempts FROM delivery", [], {
    name: "test-states",
  });
const sent = () => until("the delivery to be recorded", async () => (await deliveries())[0]?.state === "sent");

async function startProcess(): Promise<ChildProcess> {
  const { keyFile, jwksFile } = stack.peers.identityFiles("consumers");
  const options = {
    url: stack.databaseUrl,
    broker: stack.brokers[0],
    group: groupName(stack.id, "email"),
    topic: stack.topics.deliveries,
    mesh: stack.peers.address,
    keyFile,
    jwksFile,
    smtpUrl: stack.mailbox.url,
    redisUrl: inject("redis"),
    fromAddress: from.address,
    name: "email",
  };
  const args = ["tests/integration/notification/group-process.ts", JSON.stringify(options)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout, "data");
  return child;
}

describe("a mail that was taken and whose delivery could not be recorded", () => {
  it("is sent again with the same Message-ID when the process died in between", async () => {
    await stack.start("notification");
    await startProcess().then(async (first) => {
      stack.mailbox.onMail = () => holdDeliveries().then(() => {});
      await somebodyHears("twice at worst");
      await until("the first copy", () => stack.mailbox.mails.length === 1);
      first.kill("SIGKILL");
      await once(first, "exit");
    });
    stack.mailbox.onMail = () => {};
    await releaseDeliveries();
    expect(await deliveries()).toMatchObject([{ state: "sending", attempts: 1 }]);

    await startProcess();
    await until("the second copy", () => stack.mailbox.mails.length === 2, { timeoutMs: 60_000 });
    await sent();
    const [first, second] = stack.mailbox.mails.map(({ mail }) => mail.messageId);
    expect(first).toMatch(/^<[0-9a-f-]{36}@mesh\.example>$/);
    expect(second).toBe(first);
    expect(await deliveries()).toMatchObject([{ state: "sent", attempts: 2 }]);
  });

  it("is not sent again while the process lives", async () => {
    await stack.start("notification");
    await stack.start("email", { retryDelaysMs: [200, 400, 800, 1600] });
    stack.mailbox.onMail = () => holdDeliveries().then(() => {});
    await somebodyHears("once");
    await until("a failed commit", async () => {
      const [row] = await stack.database.query<{ parked: number }>("SELECT count(*)::int AS parked FROM parked_key");
      return row?.parked === 1;
    });
    await releaseDeliveries();
    await sent();
    expect(stack.mailbox.mails).toHaveLength(1);
  });
});

describe("a delivery that another consumer is at", () => {
  it("waits for its turn and is not sent twice", async () => {
    await stack.start("notification");
    await somebodyHears("claimed");
    await until("the delivery", async () => (await deliveries()).length === 1);
    await blocker.query("UPDATE delivery SET state = 'sending', claim_expire_time = now() + interval '2 seconds'");
    await stack.start("email", { retryDelaysMs: [200, 400, 800, 1600] });
    await sent();
    expect(stack.mailbox.mails).toHaveLength(1);
    expect(await deliveries()).toMatchObject([{ attempts: 1 }]);
  });
});
