import type { Language } from "../language.ts";
import { oneLine } from "../one-line.ts";

export interface Place {
  latitude: number;
  longitude: number;
}

/** What a notification of an alert says. */
export interface AlertText {
  /** One line. */
  title: string;
  body: string;
}

/** What an alert's texts speak of. */
export interface AlertWords {
  /** Who raised or acknowledged it; empty when that is not known. */
  actor: string;
  message: string;
}

interface Words {
  somebody: string;
  raised: (actor: string) => string;
  again: (times: number) => string;
  place: string;
  acknowledge: string;
  acknowledged: (actor: string) => string;
  alert: string;
}

const words: Record<Language, Words> = {
  en: {
    somebody: "Somebody",
    raised: (actor) => `ALERT from ${actor}`,
    again: (times) => `reminder ${times}`,
    place: "Place",
    acknowledge: "Acknowledge it in Taskmesh; until somebody does, it is sent again.",
    acknowledged: (actor) => `${actor} acknowledged your alert`,
    alert: "Your alert",
  },
  de: {
    somebody: "Jemand",
    raised: (actor) => `ALARM von ${actor}`,
    again: (times) => `Erinnerung ${times}`,
    place: "Ort",
    acknowledge: "Bestätige ihn in Taskmesh; bis das jemand tut, wird er wiederholt.",
    acknowledged: (actor) => `${actor} hat deinen Alarm bestätigt`,
    alert: "Dein Alarm",
  },
};

/** The n-th repeat of an alert; the first notice is no repeat, 0. */
export function raisedText(
  language: Language,
  { actor, message }: AlertWords,
  repeat: number,
  place: Place | undefined,
): AlertText {
  const text = words[language];
  const head = `${text.raised(nameOf(actor, text))}${repeat > 0 ? ` (${text.again(repeat)})` : ""}`;
  return {
    title: `${head}: ${oneLine(message, 120)}`,
    body: [oneLine(message, 1000), ...(place ? [placeText(text.place, place)] : []), text.acknowledge].join("\n"),
  };
}

export function acknowledgedText(language: Language, { actor, message }: AlertWords): AlertText {
  const text = words[language];
  return { title: text.acknowledged(nameOf(actor, text)), body: `${text.alert}: ${oneLine(message, 1000)}` };
}

function nameOf(actor: string, { somebody }: Words): string {
  return oneLine(actor, 100) || somebody;
}

/** In degrees with a metre's precision, and as RFC 5870 has it, which phones open as a map. */
function placeText(label: string, { latitude, longitude }: Place): string {
  const [north, east] = [latitude, longitude].map((degrees) => String(Number(degrees.toFixed(5))));
  return `${label}: ${north}, ${east} (geo:${north},${east})`;
}
