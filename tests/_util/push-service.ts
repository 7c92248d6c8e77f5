import { createPublicKey } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { jwtVerify } from "jose";
import { edgeCertificate } from "../../cli/runner/certificate.ts";
import { PushBrowser } from "./push-browser.ts";

/** A message that a push service took for a browser, as the browser reads it. */
export interface PushedMessage {
  ttl: number;
  urgency: string;
  topic: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
  text: any;
  /** Bytes as they went over the wire. */
  length: number;
}

/** One browser that has subscribed. */
export interface SubscribedBrowser {
  /** What the Push API gives to the page. */
  subscription: { endpoint: string; expirationTime: null; keys: { p256dh: string; auth: string } };
  /** All that were taken, in their order. */
  messages: PushedMessage[];
  /** What it would show: of the messages with one topic the last. */
  shown(): PushedMessage[];
  /** What the service answers, if not 201; the message is taken when it is no refusal. */
  answer: (message: PushedMessage) => Answer | Promise<Answer>;
  /** Requests, those that were not taken among them. */
  requests: number;
}

type Answer = { status: number; headers?: Record<string, string> } | undefined;

export type PushService = Awaited<ReturnType<typeof startPushService>>;

/**
 * A push service (RFC 8030) with TLS on loopback, and the browsers that listen to it: it refuses what a real one would,
 * checks who signed (RFC 8292), and reads each message as its browser does. This process trusts it from now on.
 */
export async function startPushService() {
  const folder = await mkdtemp(join(tmpdir(), "taskmesh-push-service-"));
  const files = await edgeCertificate(folder, {});
  if (files === undefined) throw new Error("there is no openssl to make a certificate with");
  const [cert, key] = await Promise.all([readFile(files.certFile), readFile(files.keyFile)]);
  setDefaultCACertificates([...getCACertificates("default"), cert.toString()]);
  const places = new Map<string, Place>();
  const server = createServer({ cert, key }, (request, response) => {
    take(places, request)
      .catch((error: Error): Answer => ({ status: 400, headers: { "x-fault": error.message } }))
      .then((answer) => reply(response, answer));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    certFile: files.certFile,
    /** A browser that subscribes with the server's public key. */
    subscribe: (pushKey: string): SubscribedBrowser => {
      const reader = new PushBrowser();
      const path = `/push/${reader.keys.auth}`;
      const messages: PushedMessage[] = [];
      const browser: SubscribedBrowser = {
        subscription: { endpoint: origin + path, expirationTime: null, keys: reader.keys },
        messages,
        shown: () => [...new Map(messages.map((message) => [message.topic, message])).values()],
        answer: () => undefined,
        requests: 0,
      };
      places.set(path, { browser, reader, pushKey, origin });
      return browser;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      await rm(folder, { recursive: true });
    },
  };
}

interface Place {
  browser: SubscribedBrowser;
  reader: PushBrowser;
  pushKey: string;
  origin: string;
}

async function take(places: Map<string, Place>, request: IncomingMessage): Promise<Answer> {
  const place = places.get(request.url ?? "");
  if (place === undefined) return { status: 404 };
  if (request.method !== "POST") return { status: 405 };
  const { browser, reader } = place;
  browser.requests += 1;
  const body = Buffer.concat(await Array.fromAsync(request));
  if (!(await isSigned(place, request.headers.authorization ?? ""))) return { status: 403 };
  if (body.length > 4096) return { status: 413 };
  const { ttl, urgency = "normal", topic = "", "content-encoding": encoding } = request.headers;
  if (encoding !== "aes128gcm") throw new Error("content-encoding");
  if (!/^\d+$/.test(String(ttl))) throw new Error("ttl");
  if (!["very-low", "low", "normal", "high"].includes(String(urgency))) throw new Error("urgency");
  if (!/^[\w-]{0,32}$/.test(String(topic))) throw new Error("topic");
  const text = JSON.parse(reader.read(body));
  const message = { ttl: Number(ttl), urgency: String(urgency), topic: String(topic), text, length: body.length };
  const answer = await browser.answer(message);
  if (answer !== undefined && answer.status >= 300) return answer;
  browser.messages.push(message);
  return answer;
}

/** RFC 8292 section 4.2: only who has the key that the browser subscribed with may send. */
async function isSigned({ pushKey, origin }: Place, authorization: string): Promise<boolean> {
  const [, token = "", key] = /^vapid t=([\w.-]+), k=([\w-]+)$/.exec(authorization) ?? [];
  if (key !== pushKey) return false;
  const point = Buffer.from(pushKey, "base64url");
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString("base64url"));
  const publicKey = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
  const { payload } = await jwtVerify(token, publicKey, { algorithms: ["ES256"], audience: origin });
  const isShort = (payload.exp ?? Number.POSITIVE_INFINITY) <= Date.now() / 1000 + 86_400;
  return isShort && /^(mailto:|https:)/.test(payload.sub ?? "");
}

function reply(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer?.status ?? 201, answer?.headers).end();
}
