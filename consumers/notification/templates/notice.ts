import type { Language } from "../../language.ts";
import { oneLine } from "../../one-line.ts";
import type { NoticeKind, TellingField } from "../domain/audience.ts";
import { english } from "./english.ts";
import { german } from "./german.ts";

/** What a notification may speak of; each text takes what it needs. */
export interface Subject {
  /** Who did it; empty when nobody knows. */
  actor: string;
  taskTitle: string;
  /** What changed about the task. */
  changes: readonly TellingField[];
  /** The beginning of a comment. */
  excerpt: string;
  /** The API key that it is about, and its end. */
  apiKey?: { name: string; expireTime: Date | undefined } | undefined;
}

/** What the texts take: all that people wrote is one line, and times are words. */
export interface Words extends Omit<Subject, "apiKey"> {
  keyName: string;
  keyEnd: string;
}

export interface Text {
  /** One line. */
  title: string;
  /** A few sentences; may be empty. */
  body: string;
}

export type Texts = Record<NoticeKind, (words: Words) => Text> & { somebody: string };

const textsOf: Record<Language, Texts> = { en: english, de: german };

/** The text of a notification in one language. What people wrote is one line in it, whatever they wrote. */
export function noticeText(kind: NoticeKind, language: Language, subject: Subject): Text {
  const texts = textsOf[language];
  return texts[kind]({
    actor: oneLine(subject.actor, 100) || texts.somebody,
    taskTitle: oneLine(subject.taskTitle),
    changes: subject.changes,
    excerpt: oneLine(subject.excerpt),
    keyName: oneLine(subject.apiKey?.name ?? "", 100),
    keyEnd: momentText(subject.apiKey?.expireTime, language),
  });
}

function momentText(moment: Date | undefined, language: Language): string {
  const format = { dateStyle: "long", timeStyle: "short", timeZone: "UTC" } as const;
  return moment === undefined ? "" : `${moment.toLocaleString(language, format)} UTC`;
}
