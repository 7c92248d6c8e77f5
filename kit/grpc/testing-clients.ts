import { credentials, Client as GrpcClient, type ServiceError as GrpcError, Metadata } from "@grpc/grpc-js";
import { Code } from "../errors.ts";
import { MeshChannel } from "./channel.ts";
import { frameOf, maxReceiveBytes } from "./message-frames.ts";
import { OutgoingStream } from "./outgoing-stream.ts";

/** What a client makes of a call, in the words that both share. */
export interface Outcome {
  code: number;
  details: string;
  messages: Buffer[];
  headers: Record<string, unknown>;
  trailers: Record<string, unknown>;
}
export interface Ask {
  message?: Buffer;
  timeoutMs?: number;
  /** Told when there is something to cancel. */
  onCall?: (cancel: () => void) => void;
}
export interface Client {
  ask(ask?: Ask): Promise<Outcome>;
  close(): void;
}

const path = "/mesh.test.v1.Interop/Call";
const same = (bytes: Buffer) => bytes;

/** The client that all calls in the mesh are made with, by its lowest part. */
export function ours(port: number): Client {
  const channel = new MeshChannel(`127.0.0.1:${port}`);
  const ask = ({ message = Buffer.alloc(0), timeoutMs = 5_000, onCall }: Ask = {}) => {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const messages: Buffer[] = [];
    let headers = {};
    const request = {
      headers: [":method", "POST", ":path", path, "content-type", "application/grpc", "te", "trailers"],
      frame: frameOf(message),
      deadlineMs: Date.now() + timeoutMs,
    };
    const call = new OutgoingStream(channel, request, {
      onHeaders: (received) => {
        headers = received;
      },
      onMessage: (bytes) => void messages.push(bytes),
      onEnd: ({ code, details, trailers }) => resolve({ code, details, messages, headers, trailers }),
    });
    call.start();
    onCall?.(() => call.cancel(Code.CANCELLED, "cancelled"));
    return promise;
  };
  return { ask, close: () => channel.close() };
}

/** The client that gRPC itself has for Node, for comparison. */
export function reference(port: number): Client {
  const client = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": maxReceiveBytes,
  });
  const ask = ({ message = Buffer.alloc(0), timeoutMs = 5_000, onCall }: Ask = {}) => {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const messages: Buffer[] = [];
    let headers = {};
    const options = { deadline: Date.now() + timeoutMs };
    const call = client.makeServerStreamRequest(path, same, same, message, new Metadata(), options);
    call.on("metadata", (metadata: Metadata) => {
      headers = metadata.getMap();
    });
    call.on("data", (bytes: Buffer) => messages.push(bytes));
    call.on("error", (_error: GrpcError) => {});
    call.on("status", ({ code, details, metadata }) =>
      resolve({ code, details, messages, headers, trailers: metadata.getMap() }),
    );
    onCall?.(() => call.cancel());
    return promise;
  };
  return { ask, close: () => client.close() };
}
