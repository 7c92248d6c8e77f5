import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { NotificationSchema, NotificationType } from "#gen/notification/v1/notification_pb.js";
import { composePush, longestText, timeToLive, topicOf, urgencyOf } from "./message.ts";

const createTime = new Date("2026-11-23T09:00:00.000Z");
const notification = (changes: MessageInitShape<typeof NotificationSchema> = {}) =>
  create(NotificationSchema, {
    notificationId: "0198f0a0-0000-7000-8000-000000000001",
    type: NotificationType.TASK_ASSIGNED,
    title: "Ben gave you a task: Buy milk",
    body: "“Buy milk” is yours to do.",
    taskId: "0198f0a0-0000-7000-8000-000000000002",
    createTime: timestampFromDate(createTime),
    ...changes,
  });
const read = (text: string) => JSON.parse(text);

describe("composePush", () => {
  it("says what the notification says, and where it leads", () => {
    expect(read(composePush(notification(), "https://mesh.example/"))).toEqual({
      notificationId: "0198f0a0-0000-7000-8000-000000000001",
      type: "NOTIFICATION_TYPE_TASK_ASSIGNED",
      title: "Ben gave you a task: Buy milk",
      body: "“Buy milk” is yours to do.",
      url: "https://mesh.example/tasks/0198f0a0-0000-7000-8000-000000000002",
      createTime: "2026-11-23T09:00:00.000Z",
    });
  });

  it.each([
    ["letters", "a", longestText - 8],
    ["characters of three bytes", "漢", longestText - 8],
    ["pairs of surrogates", "🧀", longestText - 8],
    ["characters that JSON escapes", '"\n\u0001', 200],
    ["halves of characters", "\ud800", longestText - 8],
  ])("cuts a body that is too long: %s", (_, piece, least) => {
    const body = piece.repeat(5000);
    const text = composePush(notification({ body }), "https://mesh.example");
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(longestText);
    const cut: string = read(text).body;
    expect(cut.endsWith("…")).toBe(true);
    expect(cut.isWellFormed()).toBe(true);
    expect(body.toWellFormed().startsWith(cut.slice(0, -1))).toBe(true);
    expect(Buffer.byteLength(text)).toBeGreaterThan(least);
  });

  it("has no body and a brief title when it is to be short", () => {
    const message = read(composePush(notification({ title: "long ".repeat(50) }), "https://mesh.example", "short"));
    expect([message.body, [...message.title].length]).toEqual(["", 60]);
  });

  it("keeps a title on one line", () => {
    expect(read(composePush(notification({ title: "a\nb" }), "https://mesh.example")).title).toBe("a b");
  });
});

it("a topic is one that RFC 8030 allows, and the same for the same notification only", () => {
  const [one, other] = ["1", "2"].map((end) => `0198f0a0-0000-7000-8000-00000000000${end}`);
  expect(topicOf(notification({ notificationId: one }))).toMatch(/^[A-Za-z0-9_-]{1,32}$/);
  expect(topicOf(notification({ notificationId: one }))).not.toBe(topicOf(notification({ notificationId: other })));
});

it("what cannot wait wakes a device, what only changed does not", () => {
  const urgency = (type: NotificationType) => urgencyOf(notification({ type }));
  expect(urgency(NotificationType.SESSION_COMPROMISED)).toBe("high");
  expect(urgency(NotificationType.ALERT_RAISED)).toBe("high");
  expect(urgency(NotificationType.TASK_REMINDER)).toBe("high");
  expect(urgency(NotificationType.TASK_ASSIGNED)).toBe("normal");
  expect(urgency(NotificationType.TASK_UPDATED)).toBe("low");
});

it("a message is kept for a day from when it came about", () => {
  const after = (seconds: number) => timeToLive(notification(), new Date(createTime.getTime() + seconds * 1000));
  expect([0, 60, 86_400, 100_000].map(after)).toEqual([86_400, 86_340, 0, -13_600]);
  expect(after(-5)).toBe(86_400);
});
