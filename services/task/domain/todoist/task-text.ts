import { limits } from "../task.ts";

export interface TaskText {
  title: string;
  description: string;
  /** Names of labels, without "@". */
  labels: string[];
}

const labelWord = /(^|\s)@([\p{L}\p{N}_][\p{L}\p{N}_&/-]{0,99})(?=\s|$)/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controlCharacters = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

/**
 * Takes the labels out of a task's text, and what does not fit in one line into the description. A mail address is no
 * label. Text that is nothing but labels stays as the title.
 */
export function readTaskText(content: string, description: string): TaskText {
  const text = clean(content);
  const labels = [...text.matchAll(labelWord)].map(([, , name]) => name ?? "").slice(0, limits.labelsOfTask);
  const bare = text
    .replaceAll(labelWord, "$1")
    .replaceAll(/[^\S\n]{2,}/g, " ")
    .trim();
  const lines = (bare === "" ? text : bare).trim();
  const [first = "", ...others] = lines.split("\n");
  const title = [...first.trim()].slice(0, limits.titleLength).join("");
  const isWhole = title === first.trim();
  const rest = isWhole ? others.join("\n").trim() : lines;
  const parts = [rest, clean(description).trim()].filter((part) => part !== "");
  return { title, description: clip(parts.join("\n\n"), limits.descriptionLength), labels: [...new Set(labels)] };
}

interface FileNote {
  file_name?: unknown;
  file_url?: unknown;
}

/** A note as the text of a comment; of a file, its name and address are kept. */
export function readNote(content: string): string {
  const text = clean(content).replaceAll(/\[\[file (\{.*?\})\]\]/gs, (whole, json: string) => fileText(json) ?? whole);
  return clip(text.trim(), limits.commentLength);
}

function fileText(json: string): string | undefined {
  try {
    const { file_name: name, file_url: url } = JSON.parse(json) as FileNote;
    const known = [name, url].filter((value) => typeof value === "string" && value !== "");
    return known.length > 0 ? known.join(": ") : undefined;
  } catch {
    return undefined;
  }
}

function clean(text: string): string {
  return text.replaceAll(/\r\n?/g, "\n").replaceAll(controlCharacters, "");
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : [...text].slice(0, length).join("");
}
