import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { inboxPage } from "./page.ts";
import type { Mail, MailStore } from "./store.ts";

const loopback = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i;
const pageLimit = 100;
const listLimit = 1000;
const pagePolicy =
  "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'";
const mailPolicy = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/** Serves the inbox: `/` for people, `/email` for programs, `/health`. */
export async function startHttp(
  store: MailStore,
  { host, port }: { host: string; port: number },
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer({ requestTimeout: 10_000, keepAliveTimeout: 5000 }, (request, response) => {
    respond(store, host, request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else answerJson(response, 500, { error: "failed" });
    });
  });
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(store: MailStore, host: string, request: IncomingMessage, response: ServerResponse) {
  // A page of the web must not read mails by giving its own name the loopback address.
  if (loopback.test(host) && !loopback.test(request.headers.host ?? "")) {
    return answerJson(response, 403, { error: "ask for localhost" });
  }
  if (request.method !== "GET" && request.method !== "HEAD") return answerJson(response, 405, { error: "GET only" });
  const url = new URL(request.url ?? "/", "http://localhost");
  const to = url.searchParams.get("to") || undefined;
  const [, id, html] = /^\/email\/([0-9a-f]{64})(\/html)?$/.exec(url.pathname) ?? [];
  if (id !== undefined) return answerMail(response, await store.read(id), html !== undefined);
  switch (url.pathname) {
    case "/":
      return answerHtml(
        response,
        inboxPage({ mails: await read(store, to, pageLimit), counts: store.counts, to }),
        pagePolicy,
      );
    case "/email": {
      const limit = Math.min(Number(url.searchParams.get("limit")) || listLimit, listLimit);
      return answerJson(response, 200, (await read(store, to, limit)).map(toJson));
    }
    case "/health":
      return answerJson(response, 200, { status: "ready", ...store.counts });
    default:
      return answerJson(response, 404, { error: "not found" });
  }
}

async function read(store: MailStore, to: string | undefined, limit: number): Promise<Mail[]> {
  const mails = await Promise.all(store.list({ to, limit }).map(({ id }) => store.read(id)));
  return mails.filter((mail) => mail !== undefined);
}

function toJson(mail: Mail) {
  return { ...mail, receiveTime: mail.receiveTime.toISOString() };
}

function answerMail(response: ServerResponse, mail: Mail | undefined, html: boolean): void {
  if (mail === undefined) answerJson(response, 404, { error: "not found" });
  else if (html) answerHtml(response, mail.html, mailPolicy);
  else answerJson(response, 200, toJson(mail));
}

function answerHtml(response: ServerResponse, html: string, policy: string): void {
  answer(response, 200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy }, html);
}

function answerJson(response: ServerResponse, status: number, body: unknown): void {
  answer(response, status, { "content-type": "application/json" }, JSON.stringify(body));
}

function answer(response: ServerResponse, status: number, headers: Record<string, string>, body: string): void {
  const safe = { "cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" };
  response.writeHead(status, { ...safe, ...headers }).end(body);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
}
