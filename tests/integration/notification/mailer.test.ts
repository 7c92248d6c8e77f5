import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Code } from "#kit/errors.ts";
import { newId } from "#kit/id.ts";
import { Mailer } from "../../../consumers/email/mailer.ts";
import { composeMail, type Letter } from "../../../consumers/email/message.ts";
import { noticeText } from "../../../consumers/notification/templates/notice.ts";
import { type Mailbox, smtpError, startMailbox } from "./mailbox.ts";

let mailbox: Mailbox;
let mailer: Mailer;
const address = "anna.secret@example.org";
const { signal } = new AbortController();

beforeEach(async () => {
  mailbox = await startMailbox();
  mailer = new Mailer({ url: mailbox.url });
});

afterEach(async () => {
  mailer.close();
  await mailbox.stop();
});

const mail = (changes: Partial<Letter> = {}) =>
  composeMail({
    deliveryId: newId(),
    from: { address: "no-reply@mesh.example", name: "Taskmesh" },
    to: address,
    language: "en",
    title: "title",
    body: "body",
    link: { url: "https://mesh.example/", kind: "home" },
    traceId: "",
    ...changes,
  });

/** Fails the way the caller of send sees it. */
const failure = (given = mailer) =>
  given.send(mail(), signal).then(
    () => expect.fail("the mail was taken"),
    (error: unknown) => error as Error & { code: number },
  );

describe("Mailer", () => {
  it("tells a mail that was taken from one that never will be", async () => {
    expect(await mailer.send(mail(), signal)).toEqual({ accepted: true });
    mailbox.onRecipient = () => {
      throw smtpError(550);
    };
    expect(await mailer.send(mail(), signal)).toEqual({ accepted: false, failure: "smtp_550" });
    mailbox.onRecipient = () => {};
    mailbox.onMail = () => {
      throw smtpError(554);
    };
    expect(await mailer.send(mail(), signal)).toEqual({ accepted: false, failure: "smtp_554" });
    expect(mailbox.mails).toHaveLength(1);
  });

  it.each([421, 450, 451, 452, 530, 535])("leaves a mail for later when the server says %i", async (responseCode) => {
    mailbox.onRecipient = () => {
      throw Object.assign(smtpError(responseCode), { message: `<${address}> not now` });
    };
    const error = await failure();
    expect(error.code).toBe(Code.UNAVAILABLE);
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(address);
  });

  it("leaves a mail for later when nobody is there", async () => {
    const away = new Mailer({ url: "smtp://127.0.0.1:1" });
    expect((await failure(away)).code).toBe(Code.UNAVAILABLE);
    away.close();
  });

  it("leaves a mail for later when the server says nothing", async () => {
    const silent: Server = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const port = (silent.address() as AddressInfo).port;
    const waiting = new Mailer({ url: `smtp://127.0.0.1:${port}`, timeoutMs: 100 });
    expect((await failure(waiting)).code).toBe(Code.UNAVAILABLE);
    waiting.close();
    silent.close();
  });

  it("ends when its signal does", async () => {
    mailbox.onMail = () => new Promise(() => {});
    const patient = new Mailer({ url: mailbox.url, timeoutMs: 60_000 });
    const limit = new AbortController();
    const sending = patient.send(mail(), limit.signal);
    limit.abort();
    await expect(sending).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    patient.close();
  });
});

const fragments = [
  ["\r\n", "\n", "\r", "\n\n", "\u0000", "\u000b", "\u0085", "\u2028", "\u2029", "\u202e", "\ud800", "\t", " "],
  ["Bcc: victim@example.org", "X-Injected: yes", "Content-Type: text/html", "Subject: other", "To: victim@example.org"],
  ["=?utf-8?Q?=0D=0ABcc:_victim@example.org?=", "=?utf-8?B?DQpCY2M6IHZpY3RpbUBleGFtcGxlLm9yZw==?=", "=?", "?="],
  ["<script>alert(1)</script>", '"><img src=x>', "&lt;", "</title>", ".", "\r\n.\r\n", "milk", "Käse", "🧀", ","],
].flat();

it("lets nothing that people write add a header, a recipient or markup: 1,000 mails as the server got them", async () => {
  const random = seeded(20);
  const text = () =>
    Array.from({ length: 1 + Math.floor(random() * 8) }, () => fragments[Math.floor(random() * fragments.length)]).join(
      "",
    );
  const expected = (await sendAndTake(mail({ title: "plain" }))).headers;
  for (let count = 0; count < 1000; count += 1) {
    const subject = { actor: text(), taskTitle: text(), changes: [], excerpt: text() };
    // What the notification says, and the same without its care for what it was given.
    const letter = count % 2 === 0 ? noticeText("comment_added", "en", subject) : { title: text(), body: text() };
    const { headers, recipients, html, parts } = await sendAndTake(mail(letter));
    expect({ letter, headers }).toEqual({ letter, headers: expected });
    expect(recipients).toEqual([address]);
    expect(html).not.toMatch(/<script|<img/);
    expect(parts).toBe(0);
  }
});

async function sendAndTake(composed: ReturnType<typeof mail>) {
  expect(await mailer.send(composed, signal)).toEqual({ accepted: true });
  const received = mailbox.mails.pop();
  return {
    headers: received?.mail.headers.map(({ key }) => key),
    recipients: received?.recipients,
    html: received?.mail.html ?? "",
    parts: received?.mail.attachments.length,
  };
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
