import type { IncomingEvent } from "#kit/events/consumer.ts";
import type { News } from "../news.ts";
import { onAuthEvent } from "./auth-event.ts";
import { onTaskEvent } from "./task-event.ts";

/** By the service that an event is of. */
export const handlers: Record<string, (event: IncomingEvent) => News> = {
  task: onTaskEvent,
  auth: onAuthEvent,
};
