import { defineEntity, p } from "@mikro-orm/core";

export const ReminderEntity = defineEntity({
  name: "Reminder",
  tableName: "reminder",
  properties: {
    reminderId: p.uuid().primary(),
    taskId: p.uuid(),
    userId: p.uuid(),
    at: p.datetime(3).nullable(),
    /** Seconds before the due. */
    before: p.integer().nullable(),
    /** The numbers of notification.v1.Channel. */
    channels: p.array().columnType("smallint[]"),
    snoozeTime: p.datetime(3).nullable(),
    createTime: p.datetime(3),
  },
  checks: [{ name: "reminder_moment", expression: "(at is null) <> (before is null)" }],
  indexes: [{ name: "reminder_task", properties: ["taskId", "userId", "createTime", "reminderId"] }],
});
