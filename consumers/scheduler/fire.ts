import { ROOT_CONTEXT, withSpan } from "#observability/tracing.ts";
import { lockInboxes } from "../../services/notification/db/inbox.repository.ts";
import {
  claimReminders,
  dueReminders,
  type ScheduledReminder,
} from "../../services/notification/db/schedule.repository.ts";
import { putInInboxes } from "../inboxes.ts";
import type { People } from "../people.ts";
import type { SchedulerGroupContext } from "./context.ts";
import { reportFailure, reportReminders } from "./metrics.ts";
import { reminderNotice } from "./notice.ts";

/** How many reminders share a transaction. */
const together = 50;
const peopleMs = 5_000;

type Profiles = Awaited<ReturnType<People["byId"]>>;

/** Reminds people of what is due, the oldest first, up to a number of reminders. Answers with how many were dealt with. */
export function fireDue(ctx: SchedulerGroupContext): Promise<number> {
  return withSpan("taskmesh fire reminders", { parent: ROOT_CONTEXT }, async () => {
    const due = await dueReminders(ctx.database, together);
    if (due.length === 0) return 0;
    const ids = due.map(({ recipientId }) => recipientId);
    // Before anything is locked.
    const profiles = await ctx.people.byId(ids, AbortSignal.timeout(peopleMs));
    try {
      return await fire(ctx, due, profiles);
    } catch (error) {
      reportFailure(error, due.length);
      return fireEach(ctx, due, profiles);
    }
  });
}

/** One that cannot be dealt with does not hold up the others. */
async function fireEach(ctx: SchedulerGroupContext, due: ScheduledReminder[], profiles: Profiles): Promise<number> {
  let count = 0;
  for (const reminder of due) {
    try {
      count += await fire(ctx, [reminder], profiles);
    } catch (error) {
      reportFailure(error, 1);
    }
  }
  return count;
}

/**
 * Marks the reminders and puts them in the inboxes in one transaction: whatever dies when, a reminder is marked exactly
 * if its person hears of it. Somebody without a profile hears of nothing.
 */
async function fire(ctx: SchedulerGroupContext, due: ScheduledReminder[], profiles: Profiles): Promise<number> {
  const reminderIds = due.map(({ reminderId }) => reminderId);
  const claimed = await ctx.database.transactional(async (em) => {
    const taken = await claimReminders(em, reminderIds, ctx.reminderLateSeconds);
    const heard = taken.filter(({ state, recipientId }) => state === "fired" && profiles.has(recipientId));
    await lockInboxes(
      em,
      heard.map(({ recipientId }) => recipientId),
    );
    for (const reminder of heard) {
      const notice = reminderNotice(reminder, profiles.get(reminder.recipientId)?.locale ?? "");
      await putInInboxes(ctx, em, reminder.sourceEventId, [notice]);
    }
    return taken;
  });
  const missed = claimed.filter(({ state }) => state === "missed").length;
  reportReminders(claimed.length - missed, missed);
  return claimed.length;
}
