import { invalidArgument } from "#kit/errors.ts";
import { Status, type Task } from "./task.ts";

/** What reminds one person of a task. It has a time of its own or goes by the task's due. */
export interface Reminder {
  reminderId: string;
  taskId: string;
  userId: string;
  at: Date | null;
  /** Seconds before the due. */
  before: number | null;
  /** The numbers of notification.v1.Channel; empty for all that the person has. */
  channels: number[];
  /** When it comes instead. */
  snoozeTime: Date | null;
  createTime: Date;
}

/** When a reminder comes: exactly one is set. */
export interface Moment {
  at: Date | null;
  before: number | null;
}

export const remindersOfPerson = 20;

const latest = Date.UTC(9999, 0, 1);

/** Throws INVALID_ARGUMENT unless exactly one is given, and a time lies ahead. */
export function toMoment({ at, before }: Moment, now: Date): Moment {
  if ((at === null) === (before === null)) throw invalidArgument("at", "give either at or before");
  if (at !== null) mustLieAhead("at", at, now);
  return { at, before };
}

/** When a snoozed reminder comes. Throws INVALID_ARGUMENT unless exactly one is given, and a time lies ahead. */
export function toSnoozeTime({ until, seconds }: { until: Date | null; seconds: number | null }, now: Date): Date {
  if ((until === null) === (seconds === null)) throw invalidArgument("until", "give either until or duration");
  if (until === null) return new Date(now.getTime() + (seconds ?? 0) * 1000);
  mustLieAhead("until", until, now);
  return until;
}

/** Whether somebody may still be reminded of the task. */
export function isOpen({ status }: Pick<Task, "status">): boolean {
  return status === Status.OPEN || status === Status.IN_PROGRESS;
}

function mustLieAhead(field: string, time: Date, now: Date): void {
  if (time <= now) throw invalidArgument(field, "must lie ahead");
  if (time.getTime() > latest) throw invalidArgument(field, "must be before the year 9999");
}
