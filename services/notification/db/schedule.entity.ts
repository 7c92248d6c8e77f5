import { defineEntity, type InferEntity, p } from "@mikro-orm/core";

/** Waiting for its time; over, since its person was reminded or the time had passed; or without a time for now. */
export type ScheduleState = "waiting" | "fired" | "missed" | "idle";

/** A reminder of one person, with what has to be known of its task when it comes. */
export const ScheduleEntity = defineEntity({
  name: "Schedule",
  tableName: "schedule",
  properties: {
    reminderId: p.uuid().primary(),
    recipientId: p.uuid(),
    taskId: p.uuid(),
    taskTitle: p.text(),
    /** By which ways beside the inbox; empty for all that its person has. */
    channels: p.array().columnType("text[]").nullable(),
    at: p.datetime().columnType("timestamptz(3)").nullable(),
    /** Seconds before the due, for one without a time of its own. */
    before: p.integer().nullable(),
    snoozeTime: p.datetime().columnType("timestamptz(3)").nullable(),
    /** "2026-11-30" or "2026-11-30T09:00:00". */
    dueLocal: p.text().nullable(),
    dueTimeZone: p.text().nullable(),
    /** The person's, for a due without one. */
    timeZone: p.text(),
    /** Whether the task is to be done still and its person takes part in it. */
    isOpen: p.boolean(),
    /** The event that gave it its time. */
    sourceEventId: p.uuid(),
    fireTime: p.datetime().columnType("timestamptz(3)").nullable(),
    state: p.text().$type<ScheduleState>(),
  },
  checks: [
    { name: "schedule_state", property: "state", expression: "state in ('waiting', 'fired', 'missed', 'idle')" },
    { name: "schedule_time", expression: "fire_time is not null or state = 'idle'" },
  ],
  indexes: [
    {
      name: "schedule_waiting",
      expression: "create index schedule_waiting on schedule (fire_time) where state = 'waiting' and is_open",
    },
    { name: "schedule_task", properties: ["taskId"] },
    { name: "schedule_recipient", properties: ["recipientId"] },
  ],
});

export type ScheduleRow = InferEntity<typeof ScheduleEntity>;
