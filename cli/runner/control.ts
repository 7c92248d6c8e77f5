import { chmodSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { messageOf, UserError } from "../user-error.ts";
import type { AutoscaleRequest } from "./autoscale/action.ts";
import type { FaultRequest } from "./fault/fault.ts";
import type { Home } from "./home.ts";
import type { ReleaseRequest } from "./release/releases.ts";
import type { ScaleTarget } from "./scaling.ts";

/** What a running mesh can be asked over its control socket: one JSON object a line. */
export type ControlRequest =
  | { command: "ps" }
  | { command: "scale"; targets: readonly ScaleTarget[] }
  | { command: "autoscale"; request: AutoscaleRequest }
  | ReleaseRequest
  | { command: "fault"; request: FaultRequest }
  | { command: "down" };

type Reply = { progress: string } | { result: unknown } | { error: string };
export type ControlHandler = (request: ControlRequest, progress: (line: string) => void) => Promise<unknown>;

/** Listens on the control socket, which only the owner of the mesh can open. */
export async function serveControl(home: Home, handle: ControlHandler): Promise<Server> {
  rmSync(home.controlSocket, { force: true });
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })
      .on("line", (line) => void answer(socket, line, handle))
      .on("error", () => socket.destroy());
  });
  const mask = process.umask(0o077);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(home.controlSocket, resolve);
    });
  } finally {
    process.umask(mask);
  }
  chmodSync(home.controlSocket, 0o600);
  return server;
}

/** Asks the running mesh; progress lines arrive while it works. Throws one line when no mesh is running. */
export async function askMesh<T>(home: Home, request: ControlRequest, progress?: (line: string) => void): Promise<T> {
  const socket = await dial(home.controlSocket);
  socket.write(`${JSON.stringify(request)}\n`);
  try {
    for await (const line of createInterface({ input: socket })) {
      const reply = JSON.parse(line) as Reply;
      if ("progress" in reply) progress?.(reply.progress);
      else if ("error" in reply) throw new UserError(reply.error);
      else return reply.result as T;
    }
  } finally {
    socket.destroy();
  }
  throw new UserError("Taskmesh ended before it answered: see .mesh/logs");
}

async function answer(socket: Socket, line: string, handle: ControlHandler): Promise<void> {
  const send = (reply: Reply) => socket.writable && socket.write(`${JSON.stringify(reply)}\n`);
  try {
    send({ result: (await handle(JSON.parse(line), (progress) => send({ progress }))) ?? null });
  } catch (error) {
    send({ error: messageOf(error) });
  }
}

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => reject(new UserError("Taskmesh is not running here: start it with `npm start`")));
  });
}
