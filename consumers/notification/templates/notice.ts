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
}

export interface Text {
  /** One line. */
  title: string;
  /** A few sentences; may be empty. */
  body: string;
}

export type Texts = Record<NoticeKind, (subject: Subject) => Text> & { somebody: string };

const textsOf: Record<Language, Texts> = { en: english, de: german };

/** The text of a notification in one language. What people wrote is one line in it, whatever they wrote. */
export function noticeText(kind: NoticeKind, language: Language, subject: Subject): Text {
  const texts = textsOf[language];
  return texts[kind]({
    actor: oneLine(subject.actor, 100) || texts.somebody,
    taskTitle: oneLine(subject.taskTitle),
    changes: subject.changes,
    excerpt: oneLine(subject.excerpt),
  });
}
