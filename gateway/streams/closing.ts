import type { FastifyInstance } from "fastify";
import { unavailable } from "#kit/errors.ts";

/** Aborts when the server is told to close: streams would never end by themselves, and go on elsewhere at once. */
export function streamsClosing(app: FastifyInstance): AbortSignal {
  const closing = new AbortController();
  app.addHook("preClose", async () => closing.abort(unavailable("the server is closing", undefined, 0)));
  return closing.signal;
}
