import { expect, it } from "vitest";
import type { ScheduledReminder } from "../../services/notification/db/schedule.repository.ts";
import { reminderNotice } from "./notice.ts";

const reminder: ScheduledReminder = {
  reminderId: "r",
  recipientId: "p",
  taskId: "t",
  taskTitle: "Water\r\nthe tomatoes",
  channels: null,
  at: null,
  before: 0,
  snoozeTime: null,
  dueLocal: "2026-11-30T09:00:00",
  dueTimeZone: "Europe/Berlin",
  timeZone: "UTC",
  isOpen: true,
  sourceEventId: "e",
  fireTime: null,
  state: "fired",
};

it("says what the task is and when it is due, in the reader's language", () => {
  expect(reminderNotice(reminder, "en-GB")).toEqual({
    recipientId: "p",
    taskId: "t",
    kind: "task_reminder",
    title: "Reminder: Water the tomatoes",
    body: "Due: Monday, November 30, 2026 at 9:00 AM (Europe/Berlin).",
  });
  expect(reminderNotice({ ...reminder, dueLocal: "2026-11-30", dueTimeZone: null }, "de")).toMatchObject({
    title: "Erinnerung: Water the tomatoes",
    body: "Fällig: Montag, 30. November 2026.",
  });
  expect(reminderNotice({ ...reminder, dueLocal: null, channels: ["push"] }, "fr")).toMatchObject({
    body: "",
    channels: ["push"],
  });
});
