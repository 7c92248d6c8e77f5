import { encodeWord } from "nodemailer/lib/mime-funcs";
import type { Language } from "../language.ts";
import { oneLine } from "../one-line.ts";
import { escapeHtml } from "./html.ts";
import type { Sender } from "./sender.ts";

/** Everything that a mail is made from. */
export interface Letter {
  deliveryId: string;
  from: Sender;
  /** The address alone: a name that its owner chose has no place in a header. */
  to: string;
  language: Language;
  title: string;
  body: string;
  /** Where the recipient reads on. */
  link: { url: string; kind: "task" | "home" };
  /** 32 hex digits, or empty. */
  traceId: string;
}

/** What the mail server is given. */
export interface Mail {
  envelope: { from: string; to: string[] };
  from: Sender;
  to: { address: string; name: "" };
  messageId: string;
  headers: { key: string; value: string | { prepared: true; foldLines: true; value: string } }[];
  text: string;
  html: string;
  textEncoding: "base64" | "quoted-printable";
  disableFileAccess: true;
  disableUrlAccess: true;
}

const words: Record<Language, { task: string; home: string; reason: string }> = {
  en: {
    task: "Open the task",
    home: "Open Taskmesh",
    reason: "You get this mail because you have a Taskmesh account with this address.",
  },
  de: {
    task: "Aufgabe öffnen",
    home: "Taskmesh öffnen",
    reason: "Du bekommst diese Mail, weil du mit dieser Adresse ein Taskmesh-Konto hast.",
  },
};

/** The Message-ID of a delivery: the same at every attempt, so that a mailbox can tell a second copy from a second mail. */
export function messageIdOf(deliveryId: string, from: Sender): string {
  return `<${deliveryId}@${domainOf(from)}>`;
}

/** Writes the mail. No text of a person can add a header, a recipient or markup to it. */
export function composeMail(letter: Letter): Mail {
  const { from, to, language, deliveryId, traceId } = letter;
  const headers: Mail["headers"] = [
    { key: "Subject", value: { prepared: true, foldLines: true, value: encodedWords(oneLine(letter.title)) } },
    { key: "Auto-Submitted", value: "auto-generated" },
    { key: "X-Auto-Response-Suppress", value: "All" },
    { key: "List-Id", value: `Taskmesh <notifications.${domainOf(from)}>` },
    { key: "Content-Language", value: language },
  ];
  if (/^[0-9a-f]{32}$/.test(traceId)) headers.push({ key: "X-Trace-Id", value: traceId });
  return {
    envelope: { from: from.address, to: [to] },
    from: { address: from.address, name: oneLine(from.name, 100) },
    to: { address: to, name: "" },
    messageId: messageIdOf(deliveryId, from),
    headers,
    text: plainText(letter),
    html: markup(letter),
    textEncoding: "quoted-printable",
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

function plainText({ title, body, link, language }: Letter): string {
  const { reason, [link.kind]: open } = words[language];
  const paragraphs = [oneLine(title), lines(body).join("\n"), `${open}: ${link.url}`, `-- \n${reason}`];
  return `${paragraphs.filter((paragraph) => paragraph !== "").join("\n\n")}\n`;
}

function markup({ title, body, link, language }: Letter): string {
  const { reason, [link.kind]: open } = words[language];
  const text = lines(body).map(escapeHtml).join("<br>\n");
  return `<!doctype html>
<html lang="${language}">
<head><meta charset="utf-8"><title>${escapeHtml(oneLine(title))}</title></head>
<body style="font-family: sans-serif; line-height: 1.5">
<h1 style="font-size: 1.2em">${escapeHtml(oneLine(title))}</h1>${text && `\n<p>${text}</p>`}
<p><a href="${escapeHtml(link.url)}">${escapeHtml(open)}</a></p>
<p style="color: #666; font-size: 0.85em">${escapeHtml(reason)}</p>
</body>
</html>
`;
}

function lines(body: string): string[] {
  return body
    .split(/\r?\n/)
    .map((line) => oneLine(line, 1000))
    .filter((line) => line !== "");
}

/** Always encoded words, so that a title which looks like one is shown as it was written. */
function encodedWords(text: string): string {
  return encodeWord(text, "B", 60);
}

function domainOf({ address }: Sender): string {
  return address.slice(address.lastIndexOf("@") + 1);
}
