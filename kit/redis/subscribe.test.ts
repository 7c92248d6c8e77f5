import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../tests/_util/until.ts";
import { Lifecycle } from "../lifecycle.ts";
import { openRedis } from "./redis.ts";
import { subscribe } from "./subscribe.ts";

const commandTimeoutMs = 100;
let server: Server;
let lifecycle: Lifecycle;
let sockets: Set<Socket>;
let subscriber: Socket | undefined;
let hangs: boolean;

/** As much of Redis as a subscription needs; it takes its time for SUBSCRIBE, as a busy one does. */
beforeEach(async () => {
  [lifecycle, sockets, subscriber, hangs] = [new Lifecycle(), new Set(), undefined, false];
  const answers: Record<string, (socket: Socket) => void> = {
    hello: (socket) => socket.write("-ERR unknown command 'hello'\r\n"),
    info: (socket) => socket.write("$9\r\nloading:0\r\n"),
    subscribe: (socket) => {
      subscriber = socket;
      setTimeout(() => socket.write("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"), commandTimeoutMs * 3);
    },
  };
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      if (hangs) return;
      for (const [, command = ""] of String(data).matchAll(/\*\d+\r\n\$\d+\r\n([a-z]+)\r\n/gi)) {
        const answer = answers[command.toLowerCase()];
        if (answer) answer(socket);
        else socket.write("+OK\r\n");
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  await lifecycle.stop();
  for (const socket of sockets) socket.destroy();
  server.close();
});

test("is live however long the server takes to subscribe, and again after each break of the connection", async () => {
  const { port } = server.address() as AddressInfo;
  const redis = openRedis({ url: `redis://127.0.0.1:${port}`, lifecycle, commandTimeoutMs });
  const heard: string[] = [];
  let [begun, lost] = [0, 0];
  const subscription = subscribe({
    redis,
    channel: "news",
    lifecycle,
    onMessage: (message) => heard.push(message),
    onSubscribed: () => {
      begun += 1;
    },
    onLost: () => {
      lost += 1;
    },
  });
  expect(subscription.isLive).toBe(false);
  await until("the subscription", () => subscription.isLive, { everyMs: 10 });
  subscriber?.write("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nfirst\r\n");
  await until("the message", () => heard.includes("first"), { everyMs: 10 });

  for (const socket of sockets) socket.destroy();
  await until("the loss to show", () => !subscription.isLive, { everyMs: 10 });
  await until("the subscription", () => subscription.isLive, { everyMs: 10 });
  expect([begun, lost]).toEqual([2, 1]);
});

test("is not live while the server hangs, and again once it answers", async () => {
  const { port } = server.address() as AddressInfo;
  const redis = openRedis({ url: `redis://127.0.0.1:${port}`, lifecycle, commandTimeoutMs });
  let lost = 0;
  const onLost = () => {
    lost += 1;
  };
  const onMessage = () => {};
  const subscription = subscribe({ redis, channel: "news", lifecycle, onMessage, onLost, askEveryMs: 200 });
  await until("the subscription", () => subscription.isLive, { everyMs: 10 });
  hangs = true;
  await until("the silence to show", () => !subscription.isLive, { everyMs: 10 });
  expect(lost).toBe(1);
  hangs = false;
  await until("the subscription", () => subscription.isLive, { everyMs: 10 });
});
