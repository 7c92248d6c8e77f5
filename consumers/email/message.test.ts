import MailComposer from "nodemailer/lib/mail-composer";
import PostalMime from "postal-mime";
import { describe, expect, it } from "vitest";
import { composeMail, type Letter, messageIdOf } from "./message.ts";

const letter: Letter = {
  deliveryId: "0198f0a0-0000-7000-8000-000000000001",
  from: { address: "no-reply@mesh.example", name: "Taskmesh" },
  to: "anna@example.org",
  language: "en",
  title: "Ben gave you a task: Buy milk",
  body: "“Buy milk” is yours to do.",
  link: { url: "https://mesh.example/tasks/1", kind: "task" },
  traceId: "0af7651916cd43dd8448eb211c80319c",
};

async function received(changes: Partial<Letter>) {
  const raw = await new MailComposer(composeMail({ ...letter, ...changes })).compile().build();
  return { raw: raw.toString(), mail: await PostalMime.parse(raw) };
}

const headerNames = [
  "auto-submitted",
  "content-language",
  "content-type",
  "date",
  "from",
  "list-id",
  "message-id",
  "mime-version",
  "subject",
  "to",
  "x-auto-response-suppress",
  "x-trace-id",
];

const hostile = [
  "milk\r\nBcc: victim@example.org",
  "milk\nX-Injected: yes",
  "milk\rX-Injected: yes",
  "milk\r\n\r\n<script>alert(1)</script>",
  "milk\u0000\u000bX-Injected: yes",
  "milk\u0085X-Injected: yes",
  "milk\u2028X-Injected: yes\u2029Bcc: victim@example.org",
  "=?utf-8?Q?milk=0D=0ABcc:_victim@example.org?=",
  "=?utf-8?B?bWlsaw0KQmNjOiB2aWN0aW1AZXhhbXBsZS5vcmc=?=",
  '"quoted" <victim@example.org>, other@example.org',
  `${"long ".repeat(300)}\r\nBcc: victim@example.org`,
  "lone \ud800 surrogate\r\nBcc: victim@example.org",
];

describe("composeMail", () => {
  it("says what the notification says, as text and as HTML, with the link", async () => {
    const { mail } = await received({});
    expect(mail.subject).toBe(letter.title);
    expect(mail.from?.address).toBe("no-reply@mesh.example");
    expect(mail.to).toEqual([{ address: "anna@example.org", name: "" }]);
    for (const part of [mail.text, mail.html]) {
      expect(part).toContain("“Buy milk” is yours to do.");
      expect(part).toContain("https://mesh.example/tasks/1");
    }
    expect(Object.fromEntries(mail.headers.map(({ key, value }) => [key, value]))).toMatchObject({
      "x-trace-id": letter.traceId,
      "auto-submitted": "auto-generated",
      "content-language": "en",
    });
  });

  it("writes in the recipient's language", async () => {
    const { mail } = await received({ language: "de", title: "Käse kaufen 🧀" });
    expect(mail.subject).toBe("Käse kaufen 🧀");
    expect(mail.text).toContain("Aufgabe öffnen: https://mesh.example/tasks/1");
    expect(mail.html).toContain('<html lang="de">');
  });

  it("has the same Message-ID however often it is written", async () => {
    const [first, second] = await Promise.all([received({}), received({ title: "again" })]);
    expect(first.mail.messageId).toBe(second.mail.messageId);
    expect(first.mail.messageId).toBe(messageIdOf(letter.deliveryId, letter.from));
    expect(first.mail.messageId).toBe(`<${letter.deliveryId}@mesh.example>`);
  });

  it.each(hostile)("lets no title add a header, a recipient or a part: %j", async (text) => {
    const { mail, raw } = await received({ title: text, body: text });
    expect(mail.headers.map(({ key }) => key).sort()).toEqual(headerNames);
    expect(mail.to).toEqual([{ address: "anna@example.org", name: "" }]);
    expect([mail.cc ?? [], mail.bcc ?? [], mail.attachments]).toEqual([[], [], []]);
    expect(mail.subject).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
    expect(raw.split(/\r\n/).every((line) => line.length <= 998)).toBe(true);
  });

  it("shows a title that looks like an encoded word as it was written", async () => {
    const { mail } = await received({ title: "=?utf-8?Q?milk=0D=0ABcc:_x?=" });
    expect(mail.subject).toBe("=?utf-8?Q?milk=0D=0ABcc:_x?=");
  });

  it("escapes what people wrote in the HTML part", async () => {
    const text = `<img src=x onerror="alert('1')"> & <b>`;
    const { mail } = await received({ title: text, body: text });
    expect(mail.html).not.toMatch(/<img|<b>/);
    expect(mail.html).toContain("&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt; &amp; &lt;b&gt;");
    expect(mail.text).toContain(text);
  });

  it("takes nothing but a trace id for one", async () => {
    const { mail } = await received({ traceId: "x\r\nBcc: victim@example.org" });
    expect(mail.headers.map(({ key }) => key).sort()).toEqual(headerNames.filter((name) => name !== "x-trace-id"));
  });
});
