import { setTimeout as delay } from "node:timers/promises";
import type { Notification } from "#gen/notification/v1/notification_pb.js";
import { UserError } from "../user-error.ts";
import type { Someone } from "./day.ts";

export interface Mail {
  subject: string;
  messageId: string;
  text: string;
}

const patienceMs = 30_000;

/** The mails about a task that reached an address, in the order of arrival, once there are as many as expected. */
export async function mailsFor(server: string, address: string, taskId: string, count: number): Promise<Mail[]> {
  const end = Date.now() + patienceMs;
  while (Date.now() < end) {
    const response = await fetch(`${server}/email?to=${encodeURIComponent(address)}`);
    const mails = ((await response.json()) as Mail[]).filter(({ text }) => text.includes(taskId));
    if (mails.length >= count) return mails.toReversed();
    await delay(100);
  }
  throw new UserError(
    `Fewer than ${count} mails arrived within ${patienceMs / 1000} s: see \`npx mesh logs consumers\``,
  );
}

/** What somebody's inbox says about a task, newest first. */
export async function inboxOf(someone: Someone, taskId: string): Promise<Notification[]> {
  const { notifications } = await someone.mesh.notifications.listNotifications({});
  return notifications.filter((notification) => notification.taskId === taskId);
}
