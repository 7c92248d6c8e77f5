import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../tests/_util/until.ts";
import { pickPorts } from "../ports.ts";
import { Front } from "./front.ts";

let echo: Server;
let front: Front;
let sockets: Socket[];

beforeEach(async () => {
  sockets = [];
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(echo, "listening");
  const [port] = await pickPorts(1);
  front = await Front.open(port as number, (echo.address() as AddressInfo).port);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await front.close();
  echo.close();
});

async function dial(): Promise<Socket> {
  const socket = connect({ port: front.port, host: "127.0.0.1" });
  sockets.push(socket);
  await once(socket, "connect");
  socket.on("error", () => {});
  return socket;
}

function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** Milliseconds until what was said has come back whole. */
async function roundTrip(socket: Socket, bytes = 5): Promise<number> {
  const began = performance.now();
  let missing = bytes;
  const whole = Promise.withResolvers<void>();
  const take = (data: Buffer) => {
    missing -= data.length;
    if (missing <= 0) whole.resolve();
  };
  socket.on("data", take);
  socket.write(Buffer.alloc(bytes, "x"));
  await whole.promise;
  socket.off("data", take);
  return performance.now() - began;
}

test("passes everything on, however much, and the ends of both directions", async () => {
  const socket = await dial();
  const sent = "0123456789".repeat(300_000);
  socket.end(sent);
  expect(await text(socket)).toBe(sent);
  await until("the front to forget the connection", () => front.connections === 0, { everyMs: 5 });
});

test("makes open connections and new ones late, and is as before once healed", async () => {
  const old = await dial();
  await roundTrip(old);
  await front.poison({ latencyMs: 80 });
  expect(await roundTrip(old)).toBeGreaterThan(155);
  expect(await roundTrip(await dial())).toBeGreaterThan(155);
  await front.poison({ latencyMs: 60_000 });
  const held = roundTrip(old);
  await until("the front to hold it", () => old.bytesWritten === 15, { everyMs: 5 });
  await front.poison({});
  await held;
  await roundTrip(old);
});

test("keeps data in their order, however they jitter", async () => {
  await front.poison({ latencyMs: 10, jitterMs: 10 });
  const socket = await dial();
  const words = Array.from({ length: 50 }, (_, n) => `${n} `);
  for (const word of words) {
    socket.write(word);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  expect(await text(socket)).toBe(words.join(""));
});

test("lets so many bytes through in a second", async () => {
  await front.poison({ bytesPerSecond: 10_000 });
  expect(await roundTrip(await dial(), 3000)).toBeGreaterThan(180);
});

test("cut, it resets what is open and refuses what is new; healed, it takes connections again", async () => {
  const socket = await dial();
  const ended = gone(socket);
  await front.poison({ cut: "refuse" });
  await ended;
  await expect(dial()).rejects.toThrow("ECONNREFUSED");
  await front.poison({});
  await roundTrip(await dial());
});

test("as a black hole it takes connections and answers nothing; healed, what was said arrives", async () => {
  const socket = await dial();
  await front.poison({ cut: "blackhole" });
  let healed = false;
  const answered = roundTrip(socket).then(() => healed);
  const other = roundTrip(await dial()).then(() => healed);
  await new Promise((resolve) => setTimeout(resolve, 50));
  healed = true;
  await front.poison({});
  expect(await Promise.all([answered, other])).toEqual([true, true]);
});

test("resets the share of connections that it is told", async () => {
  const [one, two] = [await dial(), await dial()];
  await front.poison({ resetShare: 1 });
  await Promise.all([gone(one), gone(two)]);
  await until("the front to forget them", () => front.connections === 0, { everyMs: 5 });
});

test("closes late", async () => {
  const socket = await dial();
  await roundTrip(socket);
  await front.poison({ slowCloseMs: 60 });
  const began = performance.now();
  socket.end();
  await once(socket, "end");
  expect(performance.now() - began).toBeGreaterThan(115);
});

test("a client and a server that vanish leave nothing behind", async () => {
  const socket = await dial();
  await roundTrip(socket);
  socket.resetAndDestroy();
  await until("the front to forget the client", () => front.connections === 0, { everyMs: 5 });
});

test("a connection that is reset while its end is being passed on is gone, too", async () => {
  const socket = await dial();
  const upstream = await until("the front's own connection", () => connectionTo(echo), { everyMs: 5 });
  const end = upstream.end.bind(upstream);
  const ended = Promise.withResolvers<void>();
  upstream.end = () => {
    end();
    front.poison({ cut: "refuse" }).then(ended.resolve, ended.reject);
    return upstream;
  };
  socket.end();
  await ended.promise;
  await until("the front to forget it", () => front.connections === 0, { everyMs: 5, timeoutMs: 5000 });
});

/** The connection that somebody in this process has made to the server. */
function connectionTo(server: Server): Socket | undefined {
  const { port } = server.address() as AddressInfo;
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
  return handles.find((handle): handle is Socket => handle instanceof Socket && handle.remotePort === port);
}
