import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A message as it came to an endpoint. */
export interface Received {
  id: string;
  timestamp: number;
  signatures: string[];
  body: string;
  json: { type: string; timestamp: string; data: Record<string, unknown> };
}

/** A real HTTP endpoint on loopback that keeps what it is sent. */
export interface Sink {
  readonly url: string;
  readonly received: Received[];
  /** The status of the next answer. */
  answer: (message: Received) => number | Promise<number>;
  close(): Promise<void>;
}

export async function startSink(): Promise<Sink> {
  const received: Received[] = [];
  const sink = { url: "", received, answer: (_: Received): number | Promise<number> => 204, close: async () => {} };
  const server = createServer(async (request, response) => {
    const header = (name: string) => String(request.headers[name]);
    const body = (await Array.fromAsync(request, String)).join("");
    const message: Received = {
      id: header("webhook-id"),
      timestamp: Number(header("webhook-timestamp")),
      signatures: header("webhook-signature").split(" "),
      body,
      json: JSON.parse(body),
    };
    received.push(message);
    response.writeHead(await sink.answer(message)).end("what an endpoint says stays with it");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  sink.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=of-the-owner`;
  sink.close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return sink;
}

/** What Standard Webhooks has a receiver compute. */
export function signatureOf({ id, timestamp, body }: Received, secret: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}
