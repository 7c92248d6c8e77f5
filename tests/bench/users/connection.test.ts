import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Connection } from "./connection.ts";

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function open(answer: RequestListener): Promise<Connection> {
  server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return Connection.open(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
}

test("calls over one connection are answered one after another, each with its own answer", async () => {
  const sockets = new Set<unknown>();
  let underWay = 0;
  const connection = await open(async (request, response) => {
    sockets.add(request.socket);
    expect(++underWay).toBe(1);
    const parts = [request.method, request.url, request.headers.authorization ?? "nobody"];
    for await (const chunk of request) parts.push(String(chunk));
    underWay--;
    // Of no stated length, so in chunks.
    response.writeHead(201).write(parts.join(" "));
    response.end("!");
  });
  const answers = await Promise.all([
    connection.call({ method: "GET", path: "/a" }),
    connection.call({ method: "POST", path: "/b", token: "t", body: { title: "ü" } }),
  ]);
  expect(answers.map(({ status, body }) => `${status} ${body}`)).toEqual([
    "201 GET /a nobody!",
    '201 POST /b Bearer t {"title":"ü"}!',
  ]);
  expect(sockets.size).toBe(1);
  expect(connection.isOpen).toBe(true);
  connection.close();
});

test("a connection that the other end closes fails what waits, and what comes later", async () => {
  const connection = await open((request) => request.socket.destroy());
  const calls = [connection.call({ method: "GET", path: "/" }), connection.call({ method: "GET", path: "/" })];
  for (const call of calls) await expect(call).rejects.toThrow();
  expect(connection.isOpen).toBe(false);
});
