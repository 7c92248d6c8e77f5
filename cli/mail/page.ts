import type { Mail } from "./store.ts";

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin-block: 1rem; }
input, button { font: inherit; padding: .35rem .6rem; }
ul { list-style: none; padding: 0; }
li { border-block-end: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
summary { cursor: pointer; padding-block: .75rem; }
summary strong { margin-inline-end: .75rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 .75rem; overflow-wrap: anywhere; }
dt { font-weight: 600; } dd { margin: 0; }
iframe { inline-size: 100%; block-size: 28rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); background: #fff; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
`;

export interface PageContent {
  mails: readonly Mail[];
  counts: { stored: number; suppressed: number };
  /** The address that the list is limited to. */
  to?: string;
}

/** The inbox as one page: no scripts, nothing from elsewhere; the HTML of a mail stays in a frame that may do nothing. */
export function inboxPage({ mails, counts, to }: PageContent): string {
  const shown = `${mails.length} of ${counts.stored} ${counts.stored === 1 ? "mail" : "mails"}`;
  const dropped = counts.suppressed === 0 ? "" : `, ${counts.suppressed} duplicates dropped`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Taskmesh mail</title><style>${style}</style></head>
<body>
<header><h1>Mail that Taskmesh has sent</h1></header>
<main>
<form><label>Only to<br><input name="to" type="email" value="${escapeHtml(to ?? "")}" autocomplete="off"></label><button>Show</button></form>
<p role="status">${shown}${dropped}, newest first.</p>
<ul>${mails.map(item).join("\n")}</ul>
</main>
</body>
</html>
`;
}

function item(mail: Mail): string {
  const title = escapeHtml(mail.subject || "(no subject)");
  const body = mail.html
    ? `<iframe sandbox loading="lazy" title="${title}" src="/email/${mail.id}/html"></iframe>`
    : `<pre>${escapeHtml(mail.text)}</pre>`;
  const time = mail.receiveTime.toISOString();
  return `<li><details><summary><strong>${title}</strong> <span>to ${escapeHtml(mail.to.join(", "))}</span> <time datetime="${time}">${time.slice(0, 19).replace("T", " ")} UTC</time></summary>
<dl>${terms(mail)}</dl>
${body}</details></li>`;
}

function terms(mail: Mail): string {
  const shown = [
    ["From", mail.from],
    ["Message-ID", mail.messageId],
    ["Trace", mail.headers["x-trace-id"] ?? ""],
  ];
  return shown
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value ?? "")}</dd>`)
    .join("");
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
