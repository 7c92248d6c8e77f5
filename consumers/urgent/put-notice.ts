import type { EntityManager } from "#kit/db/database.ts";
import { appendOutbox } from "#kit/events/outbox.ts";
import { activeTraceId } from "#observability/tracing.ts";
import { noticeArrived, queueAlertMail } from "../../services/notification/db/alert.repository.ts";
import { alertMailRequested } from "../../services/notification/events.ts";
import { putInInboxes } from "../inboxes.ts";
import type { UrgentGroupContext } from "./context.ts";
import type { AlertNotice } from "./notice.ts";

/**
 * Puts a notice in its reader's inbox and asks for its mail, which is an event of its own: the inbox does not wait for a
 * mail server. A repeat of what somebody has acknowledged by now is dropped.
 */
export async function putNotice(
  { urgent }: Pick<UrgentGroupContext, "urgent">,
  em: EntityManager,
  eventId: string,
  { alertId, ...notice }: AlertNotice,
): Promise<void> {
  const { recipientId, kind } = notice;
  if (kind === "alert_raised" && !(await noticeArrived(em, alertId, recipientId))) return;
  // Its mail goes on the urgent lane; what else the reader has goes the usual way.
  const entries = await putInInboxes(urgent, em, eventId, [
    { ...notice, taskId: undefined, channels: ["webhook", "push"] },
  ]);
  for (const entry of entries) {
    const mail = await queueAlertMail(em, eventId, entry.notificationId);
    await appendOutbox(em, alertMailRequested(alertId, entry, { ...mail, traceId: activeTraceId() ?? "" }));
  }
}
