import { type Leader, startLeader, type Term } from "#kit/db/leader.ts";
import type { Lifecycle } from "#kit/lifecycle.ts";
import { secondsToNext } from "../../services/notification/db/schedule.repository.ts";
import type { SchedulerGroupContext } from "./context.ts";
import { fireDue } from "./fire.ts";
import { reportFailure, reportLag, reportLeading, reportStart } from "./metrics.ts";

// How long it sleeps at most: a reminder that is set for sooner than the next one is seen then.
const lookMs = 1_000;

/** Stands for reminding people of what is due: one of all processes of the group does it. */
export function startScheduler(ctx: SchedulerGroupContext, lifecycle: Lifecycle): Leader {
  reportStart();
  return startLeader({
    database: ctx.database,
    name: "scheduler",
    lifecycle,
    lead: (term) => lead(ctx, term),
    onChange: reportLeading,
  });
}

async function lead(ctx: SchedulerGroupContext, term: Term): Promise<void> {
  while (!term.over) {
    const seconds = (await secondsToNext(term.connection)) ?? Number.POSITIVE_INFINITY;
    reportLag(Math.max(0, -seconds));
    const goesOn = seconds <= 0 && (await tryFire(ctx));
    if (!goesOn) await term.pause(seconds <= 0 ? lookMs : Math.min(lookMs, Math.ceil(seconds * 1000)));
  }
}

/** Answers whether there was something to do; what failed waits as what is at somebody else's hand does. */
async function tryFire(ctx: SchedulerGroupContext): Promise<boolean> {
  try {
    return (await fireDue(ctx)) > 0;
  } catch (error) {
    reportFailure(error, 1);
    return false;
  }
}
