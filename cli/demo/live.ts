import type { Notification } from "#gen/notification/v1/notification_pb.js";
import { watch } from "../../clients/typescript/src/watch.ts";
import { UserError } from "../user-error.ts";
import type { Someone } from "./day.ts";

const patienceMs = 30_000;

export interface LiveUpdate {
  notification: Notification;
  unreadCount: number;
  /** When it was here, in milliseconds since the epoch. */
  time: number;
}

/** Somebody's open page: hears of what happens while it does. Answers once the page is up to date. */
export async function openPage({ mesh }: Someone): Promise<{ firstUpdate: Promise<LiveUpdate> }> {
  const opened = Promise.withResolvers<void>();
  const updated = Promise.withResolvers<LiveUpdate>();
  const closing = new AbortController();
  const late = setTimeout(
    () => closing.abort(new UserError("No live update: see `npx mesh logs notification`")),
    patienceMs,
  );
  const read = async () => {
    for await (const message of watch(mesh.notifications.watchNotifications, {}, { signal: closing.signal })) {
      opened.resolve();
      const { change, unreadCount } = message;
      if (change.case === "created") return { notification: change.value, unreadCount, time: Date.now() };
    }
    throw new UserError("The live stream ended");
  };
  read()
    .finally(() => clearTimeout(late))
    .then(updated.resolve, (error: unknown) => {
      opened.reject(error);
      updated.reject(error);
    });
  updated.promise.catch(() => {});
  await opened.promise;
  return { firstUpdate: updated.promise };
}
