import type { TellingField } from "../domain/audience.ts";
import type { Texts } from "./notice.ts";

const fields: Record<TellingField, string> = {
  title: "title",
  description: "description",
  status: "status",
  priority: "priority",
  due: "due date",
  recurrence: "repetition",
};

export const english: Texts = {
  somebody: "Somebody",
  task_assigned: ({ actor, taskTitle }) => ({
    title: `${actor} gave you a task: ${taskTitle}`,
    body: `“${taskTitle}” is yours to do.`,
  }),
  task_shared: ({ actor, taskTitle }) => ({
    title: `${actor} shared a task with you: ${taskTitle}`,
    body: `You can see “${taskTitle}” now.`,
  }),
  task_updated: ({ actor, taskTitle, changes }) => ({
    title: `${actor} changed a task: ${taskTitle}`,
    body: `Changed: ${changes.map((field) => fields[field]).join(", ")}.`,
  }),
  task_completed: ({ actor, taskTitle }) => ({
    title: `${actor} completed a task: ${taskTitle}`,
    body: `“${taskTitle}” is done.`,
  }),
  task_deleted: ({ actor, taskTitle }) => ({
    title: `${actor} deleted a task: ${taskTitle}`,
    body: `“${taskTitle}” is gone.`,
  }),
  comment_added: ({ actor, taskTitle, excerpt }) => ({
    title: `${actor} commented on ${taskTitle}`,
    body: excerpt,
  }),
  registration_attempted: () => ({
    title: "Somebody tried to register with your mail address",
    body: "You have an account with this address already, so nothing was changed. If it was you, sign in instead. If not, there is nothing you need to do.",
  }),
  session_compromised: () => ({
    title: "One of your sessions was ended for your safety",
    body: "A token of this session was used twice, as happens when it is stolen. The session has ended. Sign in again, and change your password if you do not know why.",
  }),
  api_key_expiring: ({ keyName, keyEnd }) => ({
    title: `Your API key “${keyName}” ends soon`,
    body: `It is refused from ${keyEnd} on. Make a new one for the programs that use it, or let it end.`,
  }),
};
