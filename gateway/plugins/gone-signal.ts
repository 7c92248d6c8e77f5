import type { FastifyReply } from "fastify";

/** Whether the client has gone: nobody reads the answer, and no event will tell of it any more. */
export function isGone({ raw }: FastifyReply): boolean {
  // Over HTTP/2 it is the stream that knows.
  const { stream } = raw as { stream?: { destroyed: boolean } };
  return stream === undefined ? raw.destroyed : stream.destroyed;
}

/** Aborts when the client has gone before its answer was written. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  if (isGone(reply)) controller.abort();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
