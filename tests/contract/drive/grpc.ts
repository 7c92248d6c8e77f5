import { type Answer, comparableMetadata, failureOfTrailers } from "./answer.ts";
import { framed, framesOf } from "./frames.ts";
import type { HttpAnswer } from "./http1.ts";
import { bytesOf, listenMs, type Outgoing, type Protocol, pathOf, readBinary, type Wire } from "./protocol.ts";

const trailersFlag = 0x80;

/** gRPC, over HTTP/2. */
export function grpc(wire: Wire): Protocol {
  return {
    name: "gRPC",
    json: false,
    send: async (call) => {
      const answer = await exchange(wire, call, { "content-type": "application/grpc+proto", te: "trailers" });
      return readAnswer(call, answer, {
        frames: framesOf(answer.body),
        trailers: { ...answer.headers, ...answer.trailers },
      });
    },
  };
}

/** gRPC-Web: the trailers are the last frame of the body. */
export function grpcWeb(wire: Wire): Protocol {
  return {
    name: "gRPC-Web",
    json: false,
    send: async (call) => {
      const answer = await exchange(wire, call, { "content-type": "application/grpc-web+proto", "x-grpc-web": "1" });
      const frames = framesOf(answer.body);
      const last = frames.findLast(({ flags }) => (flags & trailersFlag) !== 0);
      const trailers = { ...answer.headers, ...(last && readTrailers(last.data)) };
      return readAnswer(call, answer, { frames: frames.filter((frame) => frame !== last), trailers });
    },
  };
}

function exchange(wire: Wire, call: Outgoing, headers: Record<string, string>): Promise<HttpAnswer> {
  const body = framed(bytesOf(call));
  const request = { method: "POST", path: pathOf(call), headers: { ...headers, ...call.headers }, body };
  if (call.method.methodKind === "unary") return wire.send(request);
  const enough = (received: Buffer) => framesOf(received).length > 0;
  return wire.send(request, { enough, milliseconds: listenMs });
}

interface Parts {
  frames: ReturnType<typeof framesOf>;
  trailers: Record<string, unknown>;
}

function readAnswer(call: Outgoing, { status, milliseconds }: HttpAnswer, { frames, trailers }: Parts): Answer {
  const faults: string[] = [];
  const metadata = comparableMetadata(trailers);
  if (status !== 200) faults.push(`HTTP status ${status}`);
  const isUnary = call.method.methodKind === "unary";
  const code = trailers["grpc-status"];
  if (code === undefined && isUnary) faults.push("no grpc-status");
  if (code !== undefined && code !== "0") {
    if (isUnary && frames.length > 0) faults.push("a failure came with a message");
    return { failure: failureOfTrailers(trailers, faults), metadata, faults, milliseconds };
  }
  if (isUnary && frames.length !== 1) faults.push(`${frames.length} messages in the answer`);
  const message = frames[0] && readBinary(call, frames[0].data, faults);
  return { message, metadata, faults, milliseconds };
}

function readTrailers(block: Buffer): Record<string, string> {
  const lines = block
    .toString("latin1")
    .split("\r\n")
    .filter((line) => line !== "");
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
}
