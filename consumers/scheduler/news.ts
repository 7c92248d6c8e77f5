import type { ScheduledReminder } from "../../services/notification/db/schedule.repository.ts";
import type { Due } from "./domain/fire-time.ts";

/** What an event means for the schedule. */
export type News =
  | { kind: "set"; reminder: ScheduledReminder }
  | { kind: "removed"; reminderId: string }
  | { kind: "task"; taskId: string; title: string; due: Due | null; isOpen: boolean; memberIds: ReadonlySet<string> }
  | { kind: "task gone"; taskId: string }
  | { kind: "time zone"; recipientId: string; timeZone: string }
  | { kind: "nothing" };

/** When the event happened, and which it was. */
export interface Told {
  news: News;
  occurTime: Date;
}
