import type { WebhookState } from "../../services/notification/db/webhook.entity.ts";
import type { Notice } from "../inboxes.ts";
import { type Language, languageOf } from "../language.ts";
import { oneLine } from "../one-line.ts";

const words: Record<Language, { title: (name: string) => string; failing: string; gone: string; again: string }> = {
  en: {
    title: (name) => `Your webhook ${name} was disabled`,
    failing: "It failed for too long.",
    gone: "It answered that it is gone for good (410).",
    again: "Enable it again when it can be reached; what it missed can be sent again.",
  },
  de: {
    title: (name) => `Dein Webhook ${name} wurde abgeschaltet`,
    failing: "Er hat zu lange nicht funktioniert.",
    gone: "Er hat geantwortet, dass es ihn nicht mehr gibt (410).",
    again: "Schalte ihn wieder ein, wenn er erreichbar ist; was er verpasst hat, kann erneut gesendet werden.",
  },
};

/** Tells the owner of a webhook that it is called no more, by its name alone: a URL may hold credentials. */
export function disabledNotice(
  { ownerId, displayName, webhookId }: { ownerId: string; displayName: string; webhookId: string },
  state: WebhookState,
  locale: string,
): Notice {
  const { title, failing, gone, again } = words[languageOf(locale)];
  const name = oneLine(displayName, 100) || webhookId;
  return {
    recipientId: ownerId,
    kind: "webhook_disabled",
    taskId: undefined,
    title: title(`“${name}”`),
    body: `${state === "gone" ? gone : failing} ${again}`,
  };
}
