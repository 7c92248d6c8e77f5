import type { TellingField } from "../domain/audience.ts";
import type { Texts } from "./notice.ts";

const fields: Record<TellingField, string> = {
  title: "Titel",
  description: "Beschreibung",
  status: "Status",
  priority: "Priorität",
  due: "Fälligkeit",
  recurrence: "Wiederholung",
};

export const german: Texts = {
  somebody: "Jemand",
  task_assigned: ({ actor, taskTitle }) => ({
    title: `${actor} hat dir eine Aufgabe gegeben: ${taskTitle}`,
    body: `„${taskTitle}“ ist jetzt deine Aufgabe.`,
  }),
  task_shared: ({ actor, taskTitle }) => ({
    title: `${actor} hat eine Aufgabe mit dir geteilt: ${taskTitle}`,
    body: `Du kannst „${taskTitle}“ jetzt sehen.`,
  }),
  task_updated: ({ actor, taskTitle, changes }) => ({
    title: `${actor} hat eine Aufgabe geändert: ${taskTitle}`,
    body: `Geändert: ${changes.map((field) => fields[field]).join(", ")}.`,
  }),
  task_completed: ({ actor, taskTitle }) => ({
    title: `${actor} hat eine Aufgabe erledigt: ${taskTitle}`,
    body: `„${taskTitle}“ ist erledigt.`,
  }),
  task_deleted: ({ actor, taskTitle }) => ({
    title: `${actor} hat eine Aufgabe gelöscht: ${taskTitle}`,
    body: `„${taskTitle}“ gibt es nicht mehr.`,
  }),
  comment_added: ({ actor, taskTitle, excerpt }) => ({
    title: `${actor} hat ${taskTitle} kommentiert`,
    body: excerpt,
  }),
  registration_attempted: () => ({
    title: "Jemand wollte sich mit deiner Mailadresse registrieren",
    body: "Zu dieser Adresse gehört schon dein Konto, deshalb wurde nichts geändert. Warst du es selbst, dann melde dich einfach an. Wenn nicht, brauchst du nichts zu tun.",
  }),
  session_compromised: () => ({
    title: "Eine deiner Sitzungen wurde zu deiner Sicherheit beendet",
    body: "Ein Token dieser Sitzung wurde zweimal benutzt, wie es nach einem Diebstahl geschieht. Die Sitzung ist beendet. Melde dich neu an und ändere dein Passwort, wenn du den Grund nicht kennst.",
  }),
  api_key_expiring: ({ keyName, keyEnd }) => ({
    title: `Dein API-Schlüssel „${keyName}“ läuft bald ab`,
    body: `Ab ${keyEnd} gilt er nicht mehr. Lege einen neuen für die Programme an, die ihn benutzen, oder lass ihn ablaufen.`,
  }),
};
