import { describe, expect, it } from "vitest";
import { languageOf, languages } from "../../language.ts";
import type { NoticeKind } from "../domain/audience.ts";
import { noticeText, type Subject } from "./notice.ts";

const ofTasks: NoticeKind[] = [
  "task_assigned",
  "task_shared",
  "task_updated",
  "task_completed",
  "task_deleted",
  "comment_added",
];
const ofAccounts: NoticeKind[] = ["registration_attempted", "session_compromised", "api_key_expiring"];
const subject: Subject = { actor: "Anna", taskTitle: "Buy milk", changes: ["due", "priority"], excerpt: "Two litres" };
const everyText = languages.flatMap((language) =>
  [...ofTasks, ...ofAccounts].map((kind) => ({ language, kind, text: noticeText(kind, language, subject) })),
);

describe("noticeText", () => {
  it.each(everyText)("$language $kind is a title of one line and a body without holes", ({ text }) => {
    expect(text.title).toMatch(/^\S.*\S$/);
    expect(`${text.title}${text.body}`).not.toMatch(/undefined|null|\[object|\$\{|, \./);
  });

  it.each(languages)("names who did it and the task, in %s", (language) => {
    for (const kind of ofTasks) {
      const { title } = noticeText(kind, language, subject);
      expect(title).toContain("Anna");
      expect(title).toContain("Buy milk");
    }
  });

  it("has another text for each kind in each language", () => {
    expect(new Set(everyText.map(({ text }) => text.title)).size).toBe(everyText.length);
  });

  it("says what changed, and what was commented", () => {
    expect(noticeText("task_updated", "en", subject).body).toBe("Changed: due date, priority.");
    expect(noticeText("task_updated", "de", subject).body).toBe("Geändert: Fälligkeit, Priorität.");
    expect(noticeText("comment_added", "de", subject).body).toBe("Two litres");
  });

  it("names an API key and its end", () => {
    const apiKey = { name: "night\nly", expireTime: new Date("2026-11-30T09:05:00Z") };
    const english = noticeText("api_key_expiring", "en", { ...subject, apiKey });
    expect(english.title).toBe("Your API key “night ly” ends soon");
    expect(english.body).toContain("November 30, 2026");
    const german = noticeText("api_key_expiring", "de", { ...subject, apiKey });
    expect(german.body).toMatch(/30\. November 2026 um 09:05 UTC/);
  });

  it("speaks of somebody when nobody knows who it was", () => {
    expect(noticeText("task_deleted", "en", { ...subject, actor: "" }).title).toMatch(/^Somebody /);
    expect(noticeText("task_deleted", "de", { ...subject, actor: "\r\n" }).title).toMatch(/^Jemand /);
  });

  it("keeps what people wrote on its line", () => {
    const hostile = { actor: "Anna\r\nBcc: x", taskTitle: "milk\u2028X: y", changes: [], excerpt: "a\nb\u0000" };
    for (const kind of ofTasks) {
      const { title, body } = noticeText(kind, "en", hostile);
      expect(title + body).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
    }
  });

  it("bounds the title", () => {
    const long = { actor: "A".repeat(5000), taskTitle: "B".repeat(5000), changes: [], excerpt: "" };
    expect(noticeText("task_assigned", "en", long).title.length).toBeLessThan(400);
  });
});

describe("languageOf", () => {
  it.each([
    ["de", "de"],
    ["de-CH", "de"],
    ["DE-at", "de"],
    ["en-GB", "en"],
    ["fr", "en"],
    ["", "en"],
    ["den", "en"],
  ])("%j is %s", (locale, language) => {
    expect(languageOf(locale)).toBe(language);
  });
});
