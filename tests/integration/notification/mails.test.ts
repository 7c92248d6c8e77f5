import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { smtpError, startMailbox } from "./mailbox.ts";
import { authEvent, openStack, record, type Stack, taskEvent } from "./stack.ts";

interface DeliveryRow {
  delivery_id: string;
  state: string;
  attempts: number;
  message_id: string;
  failure: string | null;
  send_time: Date | null;
}

let stack: Stack;
let anna: { userId: string; email: string };

beforeAll(async () => {
  stack = await openStack("mails");
  anna = stack.peers.addPerson({ displayName: "Anna" });
  await Promise.all([stack.start("notification"), stack.start("email", { retryDelaysMs: [200, 400, 800, 1600] })]);
});
afterAll(() => stack?.close());

const deliveriesTo = (recipientId: string, { database } = stack) =>
  database.query<DeliveryRow>(
    `SELECT d.* FROM delivery d JOIN notification n USING (notification_id)
     WHERE recipient_id = $1 ORDER BY n.position`,
    [recipientId],
    { name: "test-deliveries" },
  );

const ended = (recipientId: string, count = 1) =>
  until(`${count} deliveries to end`, async () => {
    const rows = (await deliveriesTo(recipientId)).filter(({ state }) => state === "sent" || state === "failed");
    return rows.length >= count ? rows : undefined;
  });

const assigned = (recipientId: string, title: string, taskId = newId()) =>
  taskEvent(stack.topics.events, {
    taskId,
    title,
    actorId: anna.userId,
    memberIds: [anna.userId, recipientId],
    fact: { case: "taskCreated", value: { assigneeIds: [recipientId] } },
  });

describe("an event that somebody is to hear of", () => {
  it("is in the recipient's inbox and mailbox, once, in the recipient's language", async () => {
    const ben = stack.peers.addPerson({ displayName: "Ben", locale: "de-AT" });
    const taskId = newId();
    await stack.publish([assigned(ben.userId, "Käse <b>kaufen</b>", taskId)]);
    const [delivery] = await ended(ben.userId);
    const [received] = stack.mailbox.to(ben.email);
    expect(stack.mailbox.to(ben.email)).toHaveLength(1);
    expect(received?.mail.subject).toBe("Anna hat dir eine Aufgabe gegeben: Käse <b>kaufen</b>");
    expect(received?.mail.from).toEqual({ address: "no-reply@mesh.example", name: "Taskmesh" });
    expect(received?.mail.text).toContain(`https://mesh.example/tasks/${taskId}`);
    expect(received?.mail.html).toContain("Käse &lt;b&gt;kaufen&lt;/b&gt;");
    expect(received?.mail.messageId).toBe(`<${delivery?.delivery_id}@mesh.example>`);
    expect(delivery).toMatchObject({ state: "sent", attempts: 1, message_id: received?.mail.messageId, failure: null });
    expect(delivery?.send_time).toBeInstanceOf(Date);
    const inbox = await stack.database.query(
      `SELECT kind, title, task_id, read_time, unread_count, revision FROM notification
       JOIN inbox_state USING (recipient_id) WHERE recipient_id = $1`,
      [ben.userId],
    );
    expect(inbox).toEqual([
      {
        kind: "task_assigned",
        title: "Anna hat dir eine Aufgabe gegeben: Käse <b>kaufen</b>",
        task_id: taskId,
        read_time: null,
        unread_count: 1,
        revision: 1n,
      },
    ]);
  });

  it("is told to its owner when it is about an account", async () => {
    const ben = stack.peers.addPerson();
    await stack.publish([
      authEvent(stack.topics.events, { userId: ben.userId, fact: { case: "registrationAttempted", value: {} } }),
      authEvent(stack.topics.events, { userId: ben.userId, fact: { case: "sessionRevoked", value: {} } }),
      authEvent(stack.topics.events, { userId: ben.userId, fact: { case: "refreshTokenReused", value: {} } }),
    ]);
    await ended(ben.userId, 2);
    expect(stack.mailbox.to(ben.email).map(({ mail }) => mail.subject)).toEqual([
      "Somebody tried to register with your mail address",
      "One of your sessions was ended for your safety",
    ]);
  });

  it("makes one entry and one mail, however often it comes [notify.06]", async () => {
    const ben = stack.peers.addPerson();
    const event = assigned(ben.userId, "once");
    await stack.publish([event, event]);
    await ended(ben.userId);
    // The same again after its effect, and what its effect asked for as well.
    const asked = await stack.database.query<{ payload: Buffer; event_id: string; key: string }>(
      "SELECT payload, event_id, key FROM outbox_event WHERE key = $1",
      [ben.userId],
    );
    const again = asked.map(({ payload, event_id: eventId, key }) =>
      record({ topic: stack.topics.deliveries, key, source: "notification", eventId }, payload),
    );
    await stack.publish([event, ...again, ...again, assigned(ben.userId, "last")]);
    await until("the last mail", () => stack.mailbox.to(ben.email).some(({ mail }) => mail.subject?.endsWith("last")));
    expect(stack.mailbox.to(ben.email).map(({ mail }) => mail.subject)).toEqual([
      "Anna gave you a task: once",
      "Anna gave you a task: last",
    ]);
    expect(await ended(ben.userId, 2)).toHaveLength(2);
  });

  it("is for nobody without a profile, and for the others all the same", async () => {
    const [ben, gone] = [stack.peers.addPerson(), newId()];
    await stack.publish([
      taskEvent(stack.topics.events, {
        title: "shared",
        actorId: anna.userId,
        memberIds: [gone, anna.userId, ben.userId],
        fact: { case: "taskDeleted", value: {} },
      }),
    ]);
    await ended(ben.userId);
    expect(await deliveriesTo(gone)).toEqual([]);
    expect(stack.mailbox.to(ben.email)[0]?.mail.text).toContain("Open Taskmesh: https://mesh.example/");
  });

  it("becomes a dead letter when nobody can read it, and holds up nothing", async () => {
    const ben = stack.peers.addPerson();
    const broken = { key: newId(), topic: stack.topics.events };
    const unreadable = record({ ...broken, source: "task", eventId: newId() }, Buffer.from("\xff\xff\xff", "latin1"));
    const unknownFact = record({ ...broken, source: "auth", eventId: newId() }, Buffer.alloc(0));
    const unknownSource = record({ ...broken, source: "billing", eventId: newId() }, Buffer.alloc(0));
    await stack.publish([unreadable, unknownFact, unknownSource, assigned(ben.userId, "after")]);
    await ended(ben.userId);
    const letters = await until("three dead letters", async () => {
      const rows = await stack.database.query<{ event_id: string; reason: string }>(
        "SELECT event_id, reason FROM dead_letter",
      );
      return rows.length === 3 ? rows : undefined;
    });
    expect(Object.fromEntries(letters.map(({ event_id, reason }) => [event_id, reason]))).toEqual({
      [unreadable.headers.ce_id as string]: "undecodable",
      [unknownFact.headers.ce_id as string]: "undecodable",
      [unknownSource.headers.ce_id as string]: "unknown_type",
    });
  });
});

describe("a mail server that does not take a mail", () => {
  it("gets a mail again after a temporary answer", async () => {
    const ben = stack.peers.addPerson();
    let answers = 0;
    stack.mailbox.onMail = ({ recipients }) => {
      if (recipients.includes(ben.email) && answers++ < 2) throw smtpError(451);
    };
    await stack.publish([assigned(ben.userId, "patience")]);
    expect(await ended(ben.userId)).toMatchObject([{ state: "sent", attempts: 3 }]);
    expect(stack.mailbox.to(ben.email)).toHaveLength(1);
  });

  it("gets no mail again that it refused for good, and the next mails as ever", async () => {
    const ben = stack.peers.addPerson();
    stack.mailbox.onMail = ({ recipients, mail }) => {
      if (recipients.includes(ben.email) && mail.subject?.endsWith("too big")) throw smtpError(552);
    };
    await stack.publish([assigned(ben.userId, "too big"), assigned(ben.userId, "small")]);
    expect(await ended(ben.userId, 2)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ state: "failed", attempts: 1, failure: "smtp_552", send_time: null }),
        expect.objectContaining({ state: "sent", attempts: 1, failure: null }),
      ]),
    );
  });

  it("gets no mail again for a recipient that it does not know", async () => {
    const ben = stack.peers.addPerson();
    stack.mailbox.onRecipient = (address) => {
      if (address === ben.email) throw smtpError(550);
    };
    await stack.publish([assigned(ben.userId, "refused")]);
    expect(await ended(ben.userId)).toMatchObject([{ state: "failed", attempts: 1, failure: "smtp_550" }]);
  });

  it("gets no mail again for somebody whose profile is gone by then", async () => {
    const ben = stack.peers.addPerson();
    stack.mailbox.onMail = ({ recipients }) => {
      if (!recipients.includes(ben.email)) return;
      stack.peers.removePerson(ben.userId);
      throw smtpError(451);
    };
    await stack.publish([assigned(ben.userId, "too late")]);
    expect(await ended(ben.userId)).toMatchObject([{ state: "failed", attempts: 2, failure: "recipient_unknown" }]);
    expect(stack.mailbox.to(ben.email)).toEqual([]);
  });
});

describe("a mail server that is away", () => {
  it("gets the mails of each person in their order once it is back", async () => {
    const mailbox = await startMailbox();
    const port = Number(new URL(mailbox.url).port);
    const away = await openStack("away", mailbox);
    await mailbox.stop();
    const people = ["Ben", "Cleo", "Dora"].map((displayName) => away.peers.addPerson({ displayName }));
    await Promise.all([away.start("notification"), away.start("email", { retryDelaysMs: [300, 600, 1200, 30_000] })]);
    const taskIds = people.map(() => newId());
    const events = [1, 2, 3, 4].flatMap((round) =>
      people.map((person, index) =>
        taskEvent(away.topics.events, {
          taskId: taskIds[index],
          sequence: BigInt(round),
          title: `round ${round}`,
          memberIds: [person.userId],
          fact: { case: "taskUpdated", value: { changedFields: ["title"] } },
        }),
      ),
    );
    await away.publish(events);
    await until("a second try", async () => {
      const rows = await Promise.all(people.map(({ userId }) => deliveriesTo(userId, away)));
      return rows.every(([first]) => (first?.attempts ?? 0) >= 2);
    });
    const back = await startMailbox(port);
    await until("all mails", () => back.mails.length >= events.length);
    for (const { email } of people) {
      expect(back.to(email).map(({ mail }) => mail.subject)).toEqual(
        [1, 2, 3, 4].map((round) => `Somebody changed a task: round ${round}`),
      );
    }
    await until("all deliveries to be recorded", async () => {
      const rows = await Promise.all(people.map(({ userId }) => deliveriesTo(userId, away)));
      return rows.flat().every(({ state }) => state === "sent");
    });
    expect(back.mails).toHaveLength(events.length);
    await away.close();
    await back.stop();
  });
});
