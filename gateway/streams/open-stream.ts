import { setTimeout as sleep } from "node:timers/promises";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { HeaderMap } from "#kit/grpc/outgoing-call.ts";
import type { Forwarder } from "#kit/grpc/raw-client.ts";
import type { EdgeCall } from "../edge-call.ts";
import { forwardStream, type Waiting } from "../forward.ts";

// An error that comes sooner than this is answered with its own status; silence for longer is a good beginning.
const graceMs = 1000;

/** A stream of the mesh that has begun. */
export interface OpenStream {
  /** What the service said with its first message, or nothing. */
  readonly headers: HeaderMap;
  /** To be read once. Each message is fetched when it is asked for; leaving the loop ends the call. */
  readonly messages: AsyncIterable<Message>;
}

/** Opens a stream, and answers with its first message or after a second of silence. Throws ServiceError. */
export async function openStream(
  forwarder: Forwarder,
  call: EdgeCall,
  method: DescMethod,
  options: Waiting & { message: Message },
): Promise<OpenStream> {
  let headers: HeaderMap = {};
  const onHeader = (given: HeaderMap) => {
    headers = given;
  };
  const stream = forwardStream(forwarder, call, method, { ...options, onHeader })[Symbol.asyncIterator]();
  const first = stream.next();
  first.catch(() => {});
  const over = new AbortController();
  await Promise.race([first, sleep(graceMs, undefined, { signal: over.signal })]).finally(() => over.abort());
  return { headers, messages: resumed(first, stream) };
}

async function* resumed(
  first: Promise<IteratorResult<Message>>,
  stream: AsyncIterator<Message>,
): AsyncGenerator<Message> {
  try {
    for (let next = await first; !next.done; next = await stream.next()) yield next.value;
  } finally {
    await stream.return?.();
  }
}
