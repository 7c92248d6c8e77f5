import { afterAll, beforeAll, expect, it } from "vitest";
import { newId } from "#kit/id.ts";
import {
  acknowledgeAlert,
  insertAlert,
  noticeArrived,
  takeDueNotices,
} from "../../../services/notification/db/alert.repository.ts";
import { until } from "../../_util/until.ts";
import { type AlertStage, openAlertStage } from "./alert-stage.ts";
import type { Instance } from "./watch-stage.ts";

let stage: AlertStage;
let service: Instance;
beforeAll(async () => {
  stage = await openAlertStage("alerts-repeated");
  const pace = { ALERT_REPEAT: "0.3", ALERT_REPEATS: "2" };
  [service] = await Promise.all([stage.start(pace), stage.start(pace), stage.join("urgent")]);
});
afterAll(() => stage?.close());

const person = () => stage.peers.addPerson();

const noticesTo = (recipientId: string) =>
  stage.database.query<{ event_id: string; sequence: bigint }>(
    `SELECT event_id, sequence FROM outbox_event
     WHERE key = $1 AND type = 'notification.v1.AlertRaised' ORDER BY xid, seq`,
    [recipientId],
  );

it("is repeated until its notices are spent, then goes to the next contact; each notice once, by two instances", async () => {
  const [anna, ben, cleo, dora] = [person(), person(), person(), person()];
  stage.peers.share(anna.userId, ben.userId, cleo.userId, dora.userId);
  const { alert } = await service.client.raiseAlert(
    { message: "Help", recipientIds: [ben.userId, cleo.userId], escalationIds: [dora.userId] },
    stage.as(anna.userId),
  );
  const spent = await until("all notices to be spent", async () => {
    const { alerts } = await service.client.listAlerts({}, stage.as(anna.userId));
    const deliveries = alerts[0]?.deliveries ?? [];
    return deliveries.every(({ noticeCount, nextNoticeTime }) => noticeCount === 3 && !nextNoticeTime) && deliveries;
  });
  expect(spent.map(({ escalationLevel }) => escalationLevel)).toEqual([0, 0, 1]);
  for (const { userId, email } of [ben, cleo, dora]) {
    const mails = await stage.mailsTo(email, 3);
    // Each mail is its own event: two may overtake each other.
    expect(mails.map(({ mail }) => mail.subject).sort()).toEqual([
      "ALERT from Anna (reminder 1): Help",
      "ALERT from Anna (reminder 2): Help",
      "ALERT from Anna: Help",
    ]);
    expect(new Set(mails.map(({ mail }) => mail.messageId)).size).toBe(3);
    expect((await noticesTo(userId)).map(({ sequence }) => sequence)).toEqual([1n, 2n, 3n]);
    expect(await stage.inboxOf(userId)).toHaveLength(3);
  }
  const order = await stage.database.query<{ key: string }>(
    "SELECT key FROM outbox_event WHERE type = 'notification.v1.AlertRaised' ORDER BY xid, seq",
  );
  expect(order.slice(-3).map(({ key }) => key)).toEqual([dora.userId, dora.userId, dora.userId]);
  expect(alert?.deliveries.at(-1)).toMatchObject({ recipientId: dora.userId, noticeCount: 0 });
});

it("is not repeated once it is acknowledged, whoever acknowledges it", async () => {
  const [anna, ben, cleo] = [person(), person(), person()];
  stage.peers.share(anna.userId, ben.userId, cleo.userId);
  const { alert } = await service.client.raiseAlert(
    { message: "Help", recipientIds: [ben.userId, cleo.userId] },
    stage.as(anna.userId),
  );
  await stage.mailsTo(ben.email, 1);
  await service.client.acknowledgeAlert({ alertId: alert?.alertId ?? "" }, stage.as(cleo.userId));
  const counts = async () =>
    (await Promise.all([ben, cleo].map(({ userId }) => noticesTo(userId)))).map((n) => n.length);
  const atTheEnd = await counts();
  // Another alert goes through all of its notices meanwhile.
  const other = person();
  await service.client.raiseAlert({ message: "Other", recipientIds: [other.userId] }, stage.as(other.userId));
  await stage.mailsTo(other.email, 3);
  expect(await counts()).toEqual(atTheEnd);
});

it("a notice that is due is one process's at a time, and stays due when that process dies before its commit", async () => {
  const own = await openAlertStage("alerts-due");
  try {
    // The schema, and no repeats of the service's own.
    await (await own.start()).stop();
    // Everything is due at once.
    const pace = { everySeconds: 0, repeats: 1 };
    const alert = {
      alertId: newId(),
      raiserId: newId(),
      message: "Help",
      latitude: null,
      longitude: null,
      traceId: "",
    };
    const [recipientId, contactId] = [newId(), newId()];
    const contacts = [
      { recipientId, level: 0 },
      { recipientId: contactId, level: 1 },
    ];
    await own.database.transactional((em) => insertAlert(em, alert, contacts, pace));
    const take = () => own.database.transactional((em) => takeDueNotices(em, 10, pace));
    const death = own.database.transactional(async (em) => {
      const taken = await takeDueNotices(em, 10, pace);
      expect(taken).toMatchObject([{ alertId: alert.alertId, recipientId, notices: 2 }]);
      expect(await take()).toEqual([]);
      throw new Error("killed");
    });
    await expect(death).rejects.toThrow("killed");
    expect(await take()).toMatchObject([{ recipientId, notices: 2 }]);
    // The contact's turn comes when nothing more comes to those before, however late it is.
    expect(await take()).toMatchObject([{ recipientId: contactId, notices: 1 }]);
    expect(await take()).toMatchObject([{ recipientId: contactId, notices: 2 }]);
    expect(await take()).toEqual([]);
    // Of what is under way while somebody acknowledges it, a repeat is dropped and a first notice is told.
    const arrives = (id: string) => own.database.transactional((em) => noticeArrived(em, alert.alertId, id));
    expect(await arrives(recipientId)).toBe(true);
    expect(await arrives(recipientId)).toBe(true);
    await own.database.transactional((em) => acknowledgeAlert(em, alert.alertId, recipientId));
    expect(await arrives(recipientId)).toBe(false);
    expect(await arrives(contactId)).toBe(true);
  } finally {
    await own.close();
  }
});
