import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Server } from "@grpc/grpc-js";
import { unavailable } from "../errors.ts";
import type { OpenCalls } from "./handler.ts";

interface Insides {
  http2Servers: Map<Http2Server, { sessions: Set<ServerHttp2Session> }>;
}

/** The open connections of a bound server. grpc-js keeps them to itself, and without channelz cannot cut them. */
export function sessionsOf(server: Server): () => ServerHttp2Session[] {
  const sets = [...(server as unknown as Insides).http2Servers.values()].map(({ sessions }) => sessions);
  return () => sets.flatMap((sessions) => [...sessions]);
}

const stepMs = 1_000;

/**
 * A connection that has reached its age takes no new calls, and after the grace time it is cut. Its streams are sent away
 * before that, a few at a time, lest all who watch come back in the same moment. Answers with what ends that.
 */
export function moveStreamsInTime(
  sessions: () => ServerHttp2Session[],
  { streams }: OpenCalls,
  graceMs: number,
): () => void {
  const stepsLeft = new WeakMap<ServerHttp2Session, number>();
  const moveMs = Math.min(stepMs, graceMs / 4);
  const timer = setInterval(() => {
    for (const session of sessions()) {
      if (!session.closed) continue;
      const left = stepsLeft.get(session) ?? Math.max(1, Math.floor(graceMs / moveMs) - 2);
      stepsLeft.set(session, Math.max(1, left - 1));
      const peer = peerOf(session);
      const own = [...streams].filter((stream) => stream.peer === peer);
      const moved = unavailable("the connection has reached its age", undefined, 0);
      for (const stream of own.slice(0, Math.ceil(own.length / left))) stream.abort(moved);
    }
  }, moveMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** As grpc-js names the peer of a call. */
function peerOf({ socket }: ServerHttp2Session): string {
  return `${socket?.remoteAddress}:${socket?.remotePort}`;
}
