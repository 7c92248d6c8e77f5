import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorReason } from "#gen/mesh/v1/error_reason_pb.js";
import { AlertState } from "#gen/notification/v1/alert_pb.js";
import { NotificationType } from "#gen/notification/v1/notification_pb.js";
import { Code } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { until } from "../../_util/until.ts";
import { type AlertStage, openAlertStage } from "./alert-stage.ts";
import { type Instance, open } from "./watch-stage.ts";

let stage: AlertStage;
let service: Instance;
beforeAll(async () => {
  stage = await openAlertStage("alerts");
  [service] = await Promise.all([stage.start(), stage.join("urgent")]);
});
afterAll(() => stage?.close());

/** Three people who take part in a task together. */
function people() {
  const [anna, ben, cleo] = [1, 2, 3].map((number) => stage.peers.addPerson({ displayName: `Person ${number}` }));
  if (!anna || !ben || !cleo) throw new Error("three people were made");
  stage.peers.share(anna.userId, ben.userId, cleo.userId);
  return { anna, ben, cleo };
}

const alertsOf = async (userId: string, request = {}) =>
  (await service.client.listAlerts(request, stage.as(userId))).alerts;

/** The alert once the recipient's part of it satisfies. */
const reached = (raiserId: string, state: AlertState) =>
  until(`an alert that is ${AlertState[state]}`, async () => {
    const [alert] = await alertsOf(raiserId);
    return alert?.deliveries.every((delivery) => delivery.state === state) && alert;
  });

describe("an alert", () => {
  it("is in the recipients' live streams, inboxes and mailboxes, and its raiser sees how far it is", async () => {
    const { anna, ben, cleo } = people();
    const stream = open(service, {}, stage.as(ben.userId));
    await stream.next();
    const { alert } = await service.client.raiseAlert(
      {
        message: "Water in the cellar",
        recipientIds: [ben.userId, cleo.userId],
        location: { latitude: 47.376887, longitude: 8.541694 },
      },
      stage.as(anna.userId),
    );
    expect(alert).toMatchObject({
      raiserId: anna.userId,
      message: "Water in the cellar",
      location: { latitude: 47.376887, longitude: 8.541694 },
      acknowledgerId: "",
      deliveries: [
        { recipientId: ben.userId, state: AlertState.RAISED, noticeCount: 1, escalationLevel: 0 },
        { recipientId: cleo.userId, state: AlertState.RAISED, noticeCount: 1, escalationLevel: 0 },
      ],
    });
    const { change } = await stream.next();
    await stream.leave();
    expect(change).toMatchObject({
      case: "created",
      value: { type: NotificationType.ALERT_RAISED, title: "ALERT from Person 1: Water in the cellar" },
    });
    const [received] = await stage.mailsTo(ben.email, 1);
    expect(received?.mail.subject).toBe("ALERT from Person 1: Water in the cellar");
    expect(received?.mail.text).toContain("geo:47.37689,8.54169");
    await stage.mailsTo(cleo.email, 1);
    const seen = await reached(anna.userId, AlertState.NOTIFIED);
    expect(seen.deliveries[0]?.notifyTime).toBeDefined();
    expect(await alertsOf(ben.userId)).toEqual([seen]);
    await until("the ends of both mails", async () => {
      const rows = await stage.database.query(
        "SELECT FROM delivery JOIN notification USING (notification_id) WHERE recipient_id = $1 AND state = 'sent'",
        [ben.userId],
      );
      return rows.length === 1;
    });
  });

  it("may go to whoever shares a task with the raiser, and to nobody else: a stranger and nobody are alike", async () => {
    const { anna, ben } = people();
    const stranger = stage.peers.addPerson();
    const raise = (recipientIds: string[], escalationIds: string[] = [], message = "Help") =>
      service.client.raiseAlert({ message, recipientIds, escalationIds }, stage.as(anna.userId));
    const benId = ben.userId;
    for (const id of [stranger.userId, newId()]) {
      await expect(raise([benId, id])).rejects.toMatchObject({
        code: Code.INVALID_ARGUMENT,
        fieldViolations: [{ field: "recipient_ids[1]", description: "nobody with whom you share a task" }],
      });
      await expect(raise([benId], [id])).rejects.toMatchObject({ fieldViolations: [{ field: "escalation_ids[0]" }] });
    }
    await expect(raise([benId], [benId.toUpperCase()])).rejects.toMatchObject({
      fieldViolations: [{ field: "escalation_ids[0]", description: "named twice" }],
    });
    await expect(raise([benId], [], " \n ")).rejects.toMatchObject({ fieldViolations: [{ field: "message" }] });
    await expect(raise([])).rejects.toMatchObject({ fieldViolations: [{ field: "recipient_ids" }] });
    expect(await alertsOf(anna.userId)).toEqual([]);
    await raise([anna.userId]);
    expect(await alertsOf(anna.userId)).toHaveLength(1);
  });

  it.each([
    ["location.latitude", { latitude: 90.1, longitude: 0 }],
    ["location.latitude", { latitude: Number.NaN, longitude: 0 }],
    ["location.longitude", { latitude: 0, longitude: -180.5 }],
  ])("is refused with the name of the field: %s of %j", async (field, location) => {
    const anna = stage.peers.addPerson();
    const call = service.client.raiseAlert(
      { message: "Help", recipientIds: [anna.userId], location },
      stage.as(anna.userId),
    );
    await expect(call).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT, fieldViolations: [{ field }] });
  });

  it("reaches the inbox while the user service is away, and the mailbox once it is back", async () => {
    const { anna, ben } = people();
    const benId = ben.userId;
    stage.peers.usersAway = true;
    await service.client.raiseAlert({ message: "Fire", recipientIds: [benId] }, stage.as(anna.userId));
    await reached(anna.userId, AlertState.NOTIFIED);
    expect(await stage.inboxOf(benId)).toMatchObject([{ kind: "alert_raised", title: "ALERT from Somebody: Fire" }]);
    expect(stage.mailbox.to(ben.email)).toEqual([]);
    stage.peers.usersAway = false;
    await stage.mailsTo(ben.email, 1);
  });
});

describe("acknowledging", () => {
  async function raised() {
    const { anna, ben, cleo } = people();
    const [benId, cleoId] = [ben.userId, cleo.userId];
    const { alert } = await service.client.raiseAlert(
      { message: "Help", recipientIds: [benId], escalationIds: [cleoId] },
      stage.as(anna.userId),
    );
    const alertId = alert?.alertId ?? "";
    const acknowledge = async (userId: string) =>
      (await service.client.acknowledgeAlert({ alertId }, stage.as(userId))).alert;
    return { anna, benId, cleoId, alertId, acknowledge };
  }

  it("ends the notices, tells the raiser once, and stays as it was the first time", async () => {
    const { anna, benId, acknowledge } = await raised();
    const answers = await Promise.all([acknowledge(benId), acknowledge(benId), acknowledge(benId)]);
    const [first] = answers;
    expect(first).toMatchObject({
      acknowledgerId: benId,
      deliveries: [
        { state: AlertState.ACKNOWLEDGED, acknowledgeTime: first?.acknowledgeTime },
        { state: AlertState.WAITING, noticeCount: 0, escalationLevel: 1 },
      ],
    });
    for (const answer of answers) {
      expect(answer?.acknowledgeTime).toEqual(first?.acknowledgeTime);
      for (const { nextNoticeTime } of answer?.deliveries ?? []) expect(nextNoticeTime).toBeUndefined();
    }
    const [received] = await stage.mailsTo(anna.email, 1);
    expect(received?.mail.subject).toBe("Person 2 acknowledged your alert");
    const events = await stage.database.query("SELECT event_id FROM outbox_event WHERE key = $1", [anna.userId]);
    expect(events).toHaveLength(1);
    expect(await stage.inboxOf(anna.userId)).toMatchObject([{ kind: "alert_acknowledged" }]);
    expect(await alertsOf(anna.userId, { unacknowledgedOnly: true })).toEqual([]);
    expect(await alertsOf(anna.userId)).toHaveLength(1);
  });

  it("is for those who know of it: for others, and for contacts whose turn has not come, there is no such alert", async () => {
    const { anna, cleoId, acknowledge } = await raised();
    const refused = { code: Code.NOT_FOUND, reason: ErrorReason.ALERT_NOT_FOUND };
    const unknown = service.client.acknowledgeAlert({ alertId: newId() }, stage.as(anna.userId));
    const others = [acknowledge(newId()), acknowledge(cleoId), unknown];
    await Promise.all(others.map((call) => expect(call).rejects.toMatchObject(refused)));
    expect(await alertsOf(cleoId)).toEqual([]);
    expect((await alertsOf(anna.userId))[0]?.acknowledgeTime).toBeUndefined();
  });

  it("by the raiser calls it off, and tells nobody", async () => {
    const { anna, acknowledge } = await raised();
    expect(await acknowledge(anna.userId)).toMatchObject({ acknowledgerId: anna.userId });
    expect((await alertsOf(anna.userId))[0]?.deliveries.map(({ nextNoticeTime }) => nextNoticeTime)).toEqual([
      undefined,
      undefined,
    ]);
    expect(await stage.database.query("SELECT FROM outbox_event WHERE key = $1", [anna.userId])).toEqual([]);
  });
});

it("the list of alerts has pages, newest first, each alert once", async () => {
  const { anna, ben } = people();
  for (const message of ["1", "2", "3"])
    await service.client.raiseAlert({ message, recipientIds: [anna.userId, ben.userId] }, stage.as(anna.userId));
  const first = await service.client.listAlerts({ pageSize: 2 }, stage.as(anna.userId));
  const second = await service.client.listAlerts(
    { pageSize: 2, pageToken: first.nextPageToken },
    stage.as(anna.userId),
  );
  expect([...first.alerts, ...second.alerts].map(({ message }) => message)).toEqual(["3", "2", "1"]);
  expect(second.nextPageToken).toBe("");
  const foreign = service.client.listAlerts({ pageToken: first.nextPageToken }, stage.as(ben.userId));
  await expect(foreign).rejects.toMatchObject({ fieldViolations: [{ field: "page_token" }] });
});
