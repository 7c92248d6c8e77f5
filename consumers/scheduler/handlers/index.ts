import type { IncomingEvent } from "#kit/events/consumer.ts";
import type { SchedulerGroupContext } from "../context.ts";
import type { Told } from "../news.ts";
import { onTaskEvent } from "./task-event.ts";
import { onUserEvent } from "./user-event.ts";

/** By the service that an event is of. */
export const handlers: Record<string, (ctx: SchedulerGroupContext, event: IncomingEvent) => Promise<Told>> = {
  task: onTaskEvent,
  user: onUserEvent,
};

/** Facts that no reminder depends on. */
export const unconcerning: ReadonlySet<string> = new Set([
  "task.v1.TaskCreated",
  "task.v1.CommentAdded",
  "user.v1.UserCreated",
]);
