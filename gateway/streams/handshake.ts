import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { permissionDenied } from "#kit/errors.ts";
import { upgradeRequired, wrongHandshake } from "../errors/edge-error.ts";
import { isOfOrigin, type OriginRules } from "../session-cookie/origin.ts";

/** The subprotocol of our WebSockets: frames are what lines are in NDJSON. */
export const subprotocol = "taskmesh.v1";
const version = "13";
const key = /^[+/0-9A-Za-z]{22}==$/;

interface Upgrade {
  socket: Socket;
  head: Buffer;
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>();
const bearerProtocol = /(?:^|,)\s*bearer\.([A-Za-z0-9._~-]+)\s*(?:,|$)/;

/** Only WebSockets: a client that would like another protocol gets what it asks for in HTTP/1.1. */
export function shouldUpgrade({ headers, method }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

/**
 * Sends the opening handshakes of WebSockets (RFC 6455, section 4) through fastify as the requests that they are, so
 * that everything which stands before a call stands before a WebSocket too.
 */
export function routeUpgrades(app: FastifyInstance): void {
  app.server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    upgrades.set(request, { socket, head });
    takeToken(request);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    // Whoever was refused cannot keep the connection half open.
    response.once("finish", () => socket.destroySoon());
    app.routing(request, response);
  });
}

/** A browser cannot set headers of a handshake, so that its token comes as a subprotocol: "taskmesh.v1, bearer.<token>". */
function takeToken({ headers }: IncomingMessage): void {
  const token = bearerProtocol.exec(headers["sec-websocket-protocol"] ?? "")?.[1];
  if (token !== undefined && headers.authorization === undefined) headers.authorization = `Bearer ${token}`;
}

export function isUpgrade(request: IncomingMessage): boolean {
  return upgrades.has(request);
}

/** Takes the connection from the response, which then is none. */
export function takeOver(request: IncomingMessage, response: ServerResponse): Upgrade {
  const upgrade = upgrades.get(request);
  if (upgrade === undefined) throw new Error("the request is no handshake of a WebSocket");
  response.detachSocket(upgrade.socket);
  return upgrade;
}

/** Throws 426 for another version than ours, 400 for what is no handshake (RFC 6455, section 4.2.1). */
export function checkHandshake({ headers }: IncomingMessage): void {
  if (headers["sec-websocket-version"] !== version) throw upgradeRequired({ "sec-websocket-version": version });
  if (!key.test(headers["sec-websocket-key"] ?? ""))
    throw wrongHandshake("sec-websocket-key must be 16 bytes in base64");
}

/** Throws 403 for a page of an origin that is neither the server's own nor a configured one: browsers ask nobody else. */
export function checkOrigin({ headers }: IncomingMessage, rules: OriginRules): void {
  if (!isOfOrigin(headers, rules)) throw permissionDenied("this origin may not open a WebSocket here");
}

/** Whether the client hears of faults by a frame: the script of a page sees nothing of the answer to a handshake. */
export function hearsFrames({ headers }: IncomingMessage): boolean {
  return (headers["sec-websocket-protocol"] ?? "").split(",").some((offered) => offered.trim() === subprotocol);
}
