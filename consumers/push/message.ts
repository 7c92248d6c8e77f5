import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Notification, NotificationType } from "#gen/notification/v1/notification_pb.js";
import { linkOf } from "../link.ts";
import { oneLine } from "../one-line.ts";

/** What a service worker is given. */
export interface PushMessage {
  /** The same however often the message comes: the `tag` by which a browser shows it once. */
  notificationId: string;
  /** As in the API: "NOTIFICATION_TYPE_TASK_ASSIGNED". */
  type: string;
  title: string;
  body: string;
  /** Where a click leads. */
  url: string;
  createTime: string;
}

/** Bytes of text that every push service takes once they are encrypted: RFC 8291 section 4. */
export const longestText = 3_993;

/** The message as text; its body is cut so that it fits, and left out when the message is to be short. */
export function composePush(notification: Notification, publicUrl: string, size: "usual" | "short" = "usual"): string {
  const { notificationId, type, createTime } = notification;
  const message: PushMessage = {
    notificationId,
    type: `NOTIFICATION_TYPE_${NotificationType[type] ?? "UNSPECIFIED"}`,
    title: oneLine(notification.title, size === "short" ? 60 : 200),
    body: size === "short" ? "" : notification.body.toWellFormed(),
    url: linkOf(publicUrl, notification).url,
    createTime: createTime === undefined ? "" : timestampDate(createTime).toISOString(),
  };
  const excess = Buffer.byteLength(JSON.stringify(message)) - longestText;
  const body = excess > 0 ? shortened(message.body, excess) : message.body;
  return JSON.stringify({ ...message, body });
}

/** The text without so many bytes at its end, and without a half of a character. */
function shortened(text: string, excess: number): string {
  const mark = "…";
  const room = Math.max(0, Buffer.byteLength(text) - excess - Buffer.byteLength(mark));
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(room));
  return text.slice(0, read) + mark;
}

/** RFC 8030 section 5.3: whether it is worth the battery of a device that sleeps. */
export type Urgency = "low" | "normal" | "high";

const urgencies: Partial<Record<NotificationType, Urgency>> = {
  [NotificationType.TASK_UPDATED]: "low",
  [NotificationType.TASK_COMPLETED]: "low",
  [NotificationType.TASK_DELETED]: "low",
  [NotificationType.SESSION_COMPROMISED]: "high",
  [NotificationType.TASK_REMINDER]: "high",
  [NotificationType.ALERT_RAISED]: "high",
};

export function urgencyOf({ type }: Pick<Notification, "type">): Urgency {
  return urgencies[type] ?? "normal";
}

/** RFC 8030 section 5.4: the second of two messages with it takes the place of the first that was not fetched yet. */
export function topicOf({ notificationId }: Pick<Notification, "notificationId">): string {
  return notificationId.replaceAll("-", "");
}

const keptSeconds = 24 * 60 * 60;

/** For how many more seconds it is worth being told of, RFC 8030 section 5.2: a day from when it reached the inbox. */
export function timeToLive({ createTime }: Pick<Notification, "createTime">, now: Date): number {
  const age = createTime === undefined ? 0 : (now.getTime() - timestampDate(createTime).getTime()) / 1000;
  return Math.min(keptSeconds, Math.floor(keptSeconds - age));
}
