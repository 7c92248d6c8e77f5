import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pickPorts } from "../runner/ports.ts";
import { httpAnswers } from "../runner/wire-probe.ts";
import { startHttp } from "./http.ts";
import { startSmtp } from "./smtp.ts";
import { type Mail, MailStore } from "./store.ts";

let folder: string;
let closing: (() => Promise<unknown>)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskmesh-mail-"));
  closing = [];
});

afterEach(async () => {
  for (const close of closing.reverse()) await close();
  await rm(folder, { recursive: true, force: true });
});

async function serve() {
  const store = await MailStore.open(folder);
  const smtp = await startSmtp(store, { host: "127.0.0.1", port: 0 });
  const http = await startHttp(store, { host: "127.0.0.1", port: 0 });
  closing.push(smtp.close, http.close);
  return { store, smtpPort: smtp.port, page: `http://127.0.0.1:${http.port}` };
}

async function send(port: number, mail: { id: string; to?: string; html?: string; subject?: string }): Promise<void> {
  const transport = createTransport({ host: "127.0.0.1", port, ignoreTLS: true });
  try {
    await transport.sendMail({
      from: "Taskmesh <no-reply@example.com>",
      to: mail.to ?? "ada@example.com",
      subject: mail.subject ?? "Reminder: Zürich",
      text: "Buy milk",
      html: mail.html,
      messageId: `<${mail.id}@example.com>`,
      headers: { "X-Trace-Id": "4bf92f3577b34da6a3ce929d0e0e4736" },
    });
  } finally {
    transport.close();
  }
}

const mailsAt = async (page: string, query = "") => (await (await fetch(`${page}/email${query}`)).json()) as Mail[];

describe("over real SMTP", () => {
  test("shows what arrived, with its trace", async () => {
    const { smtpPort, page } = await serve();
    await send(smtpPort, { id: "one" });
    const [mail] = await mailsAt(page);
    expect(mail).toMatchObject({
      messageId: "<one@example.com>",
      from: "no-reply@example.com",
      to: ["ada@example.com"],
      subject: "Reminder: Zürich",
      text: "Buy milk\n",
      headers: { "x-trace-id": "4bf92f3577b34da6a3ce929d0e0e4736" },
    });
  });

  test("keeps one of two mails with the same Message-ID, even at the same moment, and counts the other", async () => {
    const { store, smtpPort, page } = await serve();
    await Promise.all([send(smtpPort, { id: "twice" }), send(smtpPort, { id: "twice" })]);
    await send(smtpPort, { id: "twice" });
    expect(await mailsAt(page)).toHaveLength(1);
    expect(store.counts).toEqual({ stored: 1, suppressed: 2 });
    expect((await MailStore.open(folder)).counts).toEqual({ stored: 1, suppressed: 2 });
  });

  test("filters by recipient, whatever the case", async () => {
    const { smtpPort, page } = await serve();
    await send(smtpPort, { id: "a", to: "ada@example.com" });
    await send(smtpPort, { id: "g", to: "Grace@example.com" });
    const mails = await mailsAt(page, "?to=grace@EXAMPLE.com");
    expect(mails.map((mail) => mail.messageId)).toEqual(["<g@example.com>"]);
  });

  test("refuses what is too long and stays", async () => {
    const { smtpPort, page } = await serve();
    await expect(send(smtpPort, { id: "long", html: "x".repeat(11 * 1024 * 1024) })).rejects.toThrow(/552|size/i);
    await send(smtpPort, { id: "short" });
    expect(await mailsAt(page)).toHaveLength(1);
  });
});

describe("the page", () => {
  test("keeps the HTML of a mail away from itself", async () => {
    const { smtpPort, page } = await serve();
    await send(smtpPort, { id: "evil", subject: "<script>alert(1)</script>", html: "<script>alert(2)</script>hello" });
    const inbox = await (await fetch(page)).text();
    expect(inbox).not.toContain("<script>");
    expect(inbox).toContain("<iframe sandbox ");
    const [mail] = await mailsAt(page);
    const frame = await fetch(`${page}/email/${mail?.id}/html`);
    expect(frame.headers.get("content-security-policy")).toMatch(/^sandbox; default-src 'none'/);
  });

  test("answers to nobody who comes by another name", async () => {
    const { page } = await serve();
    const { request } = await import("node:http");
    const asked = request(`${page}/email`, { headers: { host: "evil.example" } }).end();
    const [response] = await once(asked, "response");
    response.resume();
    expect(response.statusCode).toBe(403);
  });
});

describe("after SIGKILL", () => {
  test("everything that was accepted is there, and drafts are not", async () => {
    const [smtpPort, webPort] = (await pickPorts(2)) as [number, number];
    const page = `http://127.0.0.1:${webPort}`;
    const env = { ...process.env, SMTP_PORT: `${smtpPort}`, MAIL_UI_PORT: `${webPort}`, MAIL_FOLDER: folder };
    const start = async () => {
      const child = spawn(process.execPath, ["cli/mail/main.ts"], { env, stdio: "ignore" });
      closing.push(async () => child.kill("SIGKILL"));
      await expect.poll(() => httpAnswers(`${page}/health`), { timeout: 15_000 }).toBe(true);
      return child;
    };
    const first = await start();
    const accepted: string[] = [];
    const sending = Array.from({ length: 40 }, async (_, index) => {
      await send(smtpPort, { id: `mail-${index}` });
      accepted.push(`<mail-${index}@example.com>`);
      if (accepted.length === 20) first.kill("SIGKILL");
    });
    await Promise.allSettled(sending);
    await writeFile(join(folder, "half.eml.draft"), "From: nobody");
    await start();
    const kept = (await mailsAt(page)).map((mail) => mail.messageId);
    expect(accepted.length).toBeGreaterThanOrEqual(20);
    expect(kept).toEqual(expect.arrayContaining(accepted));
    expect((await readdir(folder)).filter((name) => name.endsWith(".draft"))).toEqual([]);
  });
});
