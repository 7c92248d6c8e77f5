import type { ScheduledReminder } from "../../services/notification/db/schedule.repository.ts";
import type { Notice } from "../inboxes.ts";
import { type Language, languageOf } from "../language.ts";
import { oneLine } from "../one-line.ts";

const words: Record<Language, { reminder: string; due: string }> = {
  en: { reminder: "Reminder", due: "Due" },
  de: { reminder: "Erinnerung", due: "Fällig" },
};

/** What its person reads, in the language of the locale. */
export function reminderNotice(reminder: ScheduledReminder, locale: string): Notice {
  const { recipientId, taskId, taskTitle, channels } = reminder;
  const language = languageOf(locale);
  const { reminder: title, due } = words[language];
  const when = dueText(reminder, language);
  return {
    recipientId,
    taskId,
    kind: "task_reminder",
    title: `${title}: ${oneLine(taskTitle)}`,
    body: when && `${due}: ${when}.`,
    ...(channels !== null && { channels }),
  };
}

/** The clock reading of the task, whoever reads it. */
function dueText({ dueLocal, dueTimeZone }: ScheduledReminder, language: Language): string {
  if (dueLocal === null) return "";
  const isDay = dueLocal.length === 10;
  const style = isDay ? ({ dateStyle: "full" } as const) : ({ dateStyle: "full", timeStyle: "short" } as const);
  const reading = new Date(`${dueLocal}${isDay ? "T00:00:00" : ""}Z`);
  const text = reading.toLocaleString(language, { ...style, timeZone: "UTC" });
  return dueTimeZone === null ? text : `${text} (${dueTimeZone})`;
}
