import { type Due, fireTime, type Rule } from "./fire-time.ts";

/** Waiting for its time; over, since its person was reminded or the time had passed; or without a time for now. */
export type State = "waiting" | "fired" | "missed" | "idle";

/** A reminder with what is known of its task and its person. */
export interface Scheduled extends Rule {
  dueLocal: string | null;
  dueTimeZone: string | null;
  /** The person's. */
  timeZone: string;
  /** Whether the task is to be done still and the person takes part in it. */
  isOpen: boolean;
  fireTime: Date | null;
  state: State;
  /** The event that gave it its time. */
  sourceEventId: string;
}

/** What an event says that a reminder may depend on; what is absent is as it was. */
export interface Change {
  due?: Due | null;
  isOpen?: boolean;
  timeZone?: string;
}

/** The event that brings a change. */
export interface Source {
  eventId: string;
  occurTime: Date;
}

/** A reminder that was just set, or set anew: it waits unless its moment has passed. */
export function armed<T extends Scheduled>(reminder: T, source: Source): T {
  const moment = fireTime(reminder, dueOf(reminder), reminder.timeZone);
  return withTime(reminder, moment, source);
}

/**
 * A reminder after a change of its task or its person. A new moment has it wait again, though its person was reminded
 * before; a moment that passed before the change, or while the task was done, is missed.
 */
export function moved<T extends Scheduled>(before: T, change: Change, source: Source): T {
  const after = { ...before, ...(change.timeZone !== undefined && { timeZone: change.timeZone }) };
  if (change.isOpen !== undefined) after.isOpen = change.isOpen;
  if (change.due !== undefined) {
    after.dueLocal = change.due?.local ?? null;
    after.dueTimeZone = change.due?.timeZone ?? null;
    if (!sameDue(before, after) && after.before !== null) after.snoozeTime = null;
  }
  const moment = fireTime(after, dueOf(after), after.timeZone);
  if (moment?.getTime() !== before.fireTime?.getTime()) return withTime(after, moment, source);
  const isBack = after.isOpen && !before.isOpen;
  if (isBack && after.state === "waiting") return withTime(after, moment, source);
  return after;
}

function withTime<T extends Scheduled>(reminder: T, moment: Date | null, { eventId, occurTime }: Source): T {
  const state = moment === null ? "idle" : moment > occurTime ? "waiting" : "missed";
  return { ...reminder, fireTime: moment, state, sourceEventId: eventId };
}

function dueOf({ dueLocal, dueTimeZone }: Scheduled): Due | null {
  return dueLocal === null ? null : { local: dueLocal, timeZone: dueTimeZone };
}

function sameDue(a: Scheduled, b: Scheduled): boolean {
  return a.dueLocal === b.dueLocal && a.dueTimeZone === b.dueTimeZone;
}
